import { Failure } from "../base/failure.ts";
import type { Right } from "../people/rights.ts";
import { areWithin } from "./address.ts";
import type { Key } from "./key.ts";

/** What a key allows, in every dimension. */
export type Grant = Pick<Key, "scopes" | "models" | "cidrs" | "expiresAt">;

/** What whoever asks may do: nobody hands out more than they have. */
export type Holder = Omit<Grant, "scopes"> & { readonly rights: ReadonlySet<Right> };

/** The grant that is wanted, with the holder's own bounds where it says nothing. Fails with `forbidden` and the field that asks for more. */
export function narrow(wanted: Grant, holder: Holder): Grant {
  const scope = wanted.scopes.find((each) => !holder.rights.has(each));
  if (scope !== undefined) throw excess("scopes", `'${scope}' is no scope of yours`);
  const { models = holder.models, cidrs = holder.cidrs, expiresAt = holder.expiresAt } = wanted;
  const model = models?.find((each) => holder.models !== undefined && !covers(holder.models, each));
  if (model !== undefined) throw excess("models", `'${model}' is more than you may name`);
  if (holder.cidrs !== undefined && cidrs !== undefined && !areWithin(cidrs, holder.cidrs)) {
    throw excess("cidrs", "these addresses are more than you may call from");
  }
  if (holder.expiresAt !== undefined && expiresAt !== undefined && Date.parse(expiresAt) > Date.parse(holder.expiresAt)) {
    throw excess("expiresAt", "this is later than your own key expires");
  }
  return { scopes: wanted.scopes, ...definedOf({ models, cidrs, expiresAt }) };
}

/** Whether a grant is no more than its holder's as it stands: what it does not limit, the holder must not have limited either. */
export function isWithin({ scopes, models, cidrs, expiresAt }: Grant, holder: Holder): boolean {
  const bounds = [
    scopes.every((scope) => holder.rights.has(scope)),
    holder.models === undefined || models?.every((each) => covers(holder.models ?? [], each)) === true,
    holder.cidrs === undefined || (cidrs !== undefined && areWithin(cidrs, holder.cidrs)),
    holder.expiresAt === undefined || (expiresAt !== undefined && Date.parse(expiresAt) <= Date.parse(holder.expiresAt)),
  ];
  return bounds.every(Boolean);
}

function covers(limit: readonly string[], reference: string): boolean {
  return limit.includes(reference) || limit.includes(reference.replace(/@.*$/, ""));
}

function excess(field: string, what: string): Failure {
  return new Failure("forbidden", `${field}: ${what}, and a key can hand out no more than it has`, { field });
}

function definedOf(bounds: Omit<Grant, "scopes">): Omit<Grant, "scopes"> {
  return Object.fromEntries(Object.entries(bounds).filter(([, value]) => value !== undefined));
}
