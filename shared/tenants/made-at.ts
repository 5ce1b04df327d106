import { eachItem } from "../base/page.ts";
import type { Revision, RevisionLog } from "../dynamo/revision-log.ts";
import { TENANT_GROUP, type Tenant } from "./tenant.ts";

/** The page of a history that holds the first revision alone: a cursor is the newest revision that its page may hold. */
const FIRST_REVISION = { limit: 1, cursor: "1" };

/** When a tenant was made, milliseconds since the epoch. */
export async function madeAtMs(tenants: RevisionLog<Tenant>, tenant: Revision<Tenant>): Promise<number> {
  const made = tenant.revision === 1 ? tenant : (await tenants.history(tenant.body.id, FIRST_REVISION)).items[0];
  return Date.parse((made ?? tenant).at);
}

/** When the first tenant was made, milliseconds since the epoch; undefined while there is none. Asked once in an installation's life. */
export async function firstTenantAtMs(tenants: RevisionLog<Tenant>): Promise<number | undefined> {
  let earliestMs: number | undefined;
  for await (const tenant of eachItem((page) => tenants.list(TENANT_GROUP, page))) {
    const atMs = await madeAtMs(tenants, tenant);
    earliestMs = Math.min(earliestMs ?? atMs, atMs);
  }
  return earliestMs;
}
