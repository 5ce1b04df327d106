import type { Dynamo } from "../dynamo/client.ts";
import { createRevisionLog, type RevisionLog } from "../dynamo/revision-log.ts";
import { Tenant } from "./tenant.ts";

export const TENANT_GROUP = "tenants";

export function createTenantStore(dynamo: Dynamo): RevisionLog<Tenant> {
  return createRevisionLog(dynamo, { name: "tenant", schema: Tenant, groupOf: () => TENANT_GROUP });
}
