import { eachItem } from "../../shared/base/page.ts";
import { type Month, monthAt } from "../../shared/billing/month.ts";
import { TENANT_GROUP } from "../../shared/tenants/tenant.ts";
import type { InvoicingDeps } from "./deps.ts";

/** The month in which the first tenant was made: nothing can have been metered before. Asked once in an installation's life. */
export async function firstMonth({ tenants }: Pick<InvoicingDeps, "tenants">, nowMs: number): Promise<Month> {
  let first = monthAt(nowMs);
  for await (const tenant of eachItem((page) => tenants.list(TENANT_GROUP, page))) {
    const made = tenant.revision === 1 ? tenant : (await tenants.history(tenant.body.id, { limit: 1, cursor: "2" })).items[0];
    const month = monthAt(Date.parse(made?.at ?? tenant.at));
    if (month < first) first = month;
  }
  return first;
}
