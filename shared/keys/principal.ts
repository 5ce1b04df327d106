import type { RequestRate } from "../tenants/tenant.ts";
import type { Scope } from "./key.ts";

/** Who a request speaks for, once its key has been checked. */
export type Principal = {
  readonly keyId: string;
  readonly tenant: string;
  readonly scopes: ReadonlySet<Scope>;
  readonly rate: RequestRate;
};
