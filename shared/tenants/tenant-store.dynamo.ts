import type { Dynamo } from "../dynamo/client.ts";
import { createRevisionLog, type RevisionLog } from "../dynamo/revision-log.ts";
import { TENANT_GROUP, Tenant } from "./tenant.ts";

export function createTenantStore(dynamo: Dynamo): RevisionLog<Tenant> {
  return createRevisionLog(dynamo, { name: "tenant", schema: Tenant, groupOf: () => TENANT_GROUP });
}
