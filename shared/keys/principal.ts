import type { TenantBilling } from "../billing/tenant-billing.ts";
import type { Policies } from "../limits/policy.ts";
import type { Right } from "../people/rights.ts";

/** Who a request speaks for, once its key has been checked. */
export type Principal = {
  readonly keyId: string;
  /** The person whose key it is, if it is one's. */
  readonly person?: string;
  readonly tenant: string;
  /** What the key may do: its scopes and what they imply, or what its person's role says. */
  readonly scopes: ReadonlySet<Right>;
  /** What its requests are held to. */
  readonly policies: Policies;
  /** How the tenant is billed; absent, nothing of it has a price. */
  readonly billing?: TenantBilling;
  /** References that the key may name; absent, every model that its tenant may use. See `mayName`. */
  readonly models?: ReadonlySet<string>;
  /** How long an equal request without an Idempotency-Key counts as a retry; absent, never. */
  readonly duplicateWindowMs?: number;
  /** Whether its answers bring a receipt unless they are asked not to. */
  readonly wantsReceipts?: boolean;
};

/** Who asks for a model. */
export type Caller = Pick<Principal, "tenant" | "models">;
