import * as z from "zod";
import { Scope } from "../keys/key.ts";
import { OPERATORS } from "../tenants/tenant.ts";

/** What a request may be allowed to do: a key's scopes, and `view`, which reads all of `/admin` and changes nothing. */
export type Right = Scope | "view";

/** What a person may do who operates Weir. */
export const Role = z.enum(["viewer", "ml", "finance", "admin"]);
export type Role = z.infer<typeof Role>;

/** The one table of what roles may do. A key that belongs to a person has these rights and no others. */
export const RIGHTS_OF_ROLE: Readonly<Record<Role, readonly Right[]>> = {
  viewer: ["view", "usage"],
  ml: ["view", "usage", "infer", "models", "rollouts"],
  finance: ["view", "usage", "billing"],
  admin: ["view", ...Scope.options],
};

/** Scopes that open parts of `/admin`: only the operators' own tenant has keys with them. */
export const OPERATOR_SCOPES: readonly Scope[] = ["models", "rollouts", "billing", "operate"];

const IMPLIED_BY_OPERATE: readonly Right[] = ["view", "usage", "models", "rollouts", "billing"];

/** What a key's own scopes allow. Those of operators count for nothing in another tenant's key, however they came there. */
export function rightsOfScopes(tenant: string, scopes: readonly Scope[]): ReadonlySet<Right> {
  const held = tenant === OPERATORS ? scopes : scopes.filter((scope) => !OPERATOR_SCOPES.includes(scope));
  return new Set<Right>(held.includes("operate") ? [...held, ...IMPLIED_BY_OPERATE] : held);
}
