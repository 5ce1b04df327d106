import { eachItem } from "../../shared/base/page.ts";
import type { RevisionLog } from "../../shared/dynamo/revision-log.ts";
import { TENANT_GROUP, type Tenant } from "../../shared/tenants/tenant.ts";

/** The page of a history that holds the first revision alone: a cursor is the newest revision that its page may hold. */
const FIRST_REVISION = { limit: 1, cursor: "1" };

/** When the first tenant was made, milliseconds since the epoch; undefined while there is none. Asked once in an installation's life. */
export async function firstTenantAtMs(tenants: RevisionLog<Tenant>): Promise<number | undefined> {
  let earliestMs: number | undefined;
  for await (const { body } of eachItem((page) => tenants.list(TENANT_GROUP, page))) {
    const [first] = (await tenants.history(body.id, FIRST_REVISION)).items;
    const atMs = first === undefined ? undefined : Date.parse(first.at);
    if (atMs !== undefined) earliestMs = Math.min(earliestMs ?? atMs, atMs);
  }
  return earliestMs;
}
