import type { Scope } from "../../shared/keys/key.ts";
import type { Right, Role } from "../../shared/people/rights.ts";

/** Who asks, and what that must allow: written by hand, so that the product's own table is not its only witness. */
export type Caller = {
  readonly name: string;
  readonly tenant: "ours" | "operators";
  readonly scopes: readonly Scope[];
  readonly role?: Role;
  readonly rights: readonly Right[];
};

const tenantKey = (scopes: Scope[], rights: Right[] = scopes): Caller => ({ name: `a tenant's ${scopes}`, tenant: "ours", scopes, rights });
const operatorKey = (scopes: Scope[], rights: Right[] = scopes): Caller => ({
  ...{ name: `an operators' ${scopes}`, tenant: "operators", scopes, rights },
});
const person = (role: Role, rights: Right[]): Caller => ({ name: `a ${role}`, tenant: "operators", scopes: [], role, rights });

export const CALLERS: readonly Caller[] = [
  tenantKey(["infer"]),
  tenantKey(["usage"]),
  tenantKey(["keys"]),
  // However such a scope came into a tenant's key, it opens nothing.
  tenantKey(["models", "rollouts", "billing", "operate"], []),
  operatorKey(["infer"]),
  operatorKey(["usage"]),
  operatorKey(["keys"]),
  operatorKey(["models"]),
  operatorKey(["rollouts"]),
  operatorKey(["billing"]),
  operatorKey(["operate"], ["operate", "models", "rollouts", "billing", "usage", "view"]),
  person("viewer", ["view", "usage"]),
  person("ml", ["view", "usage", "infer", "models", "rollouts"]),
  person("finance", ["view", "usage", "billing"]),
  person("admin", ["view", "usage", "infer", "keys", "models", "rollouts", "billing", "operate"]),
];
