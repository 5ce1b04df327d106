import { eachItem } from "../../shared/base/page.ts";
import { type Month, monthAt } from "../../shared/billing/month.ts";
import type { Revision } from "../../shared/dynamo/revision-log.ts";
import { TENANT_GROUP, type Tenant } from "../../shared/tenants/tenant.ts";
import type { InvoicingDeps } from "./deps.ts";

type Tenants = Pick<InvoicingDeps, "tenants">;

/** The month in which the first tenant was made: nothing can have been metered before. Asked once in an installation's life. */
export async function firstMonth(deps: Tenants, nowMs: number): Promise<Month> {
  let first = monthAt(nowMs);
  for await (const tenant of eachItem((page) => deps.tenants.list(TENANT_GROUP, page))) {
    const month = await monthMade(deps, tenant);
    if (month < first) first = month;
  }
  return first;
}

/** Whether a tenant was there in a month: a commitment is not due for months before. */
export async function wasThere(deps: Tenants, tenant: Revision<Tenant>, month: Month): Promise<boolean> {
  const wasChangedBefore = monthAt(Date.parse(tenant.at)) <= month; // then it was made before, too
  return wasChangedBefore || (await monthMade(deps, tenant)) <= month;
}

async function monthMade({ tenants }: Tenants, tenant: Revision<Tenant>): Promise<Month> {
  // A cursor is the newest revision that its page may hold.
  const made = tenant.revision === 1 ? tenant : (await tenants.history(tenant.body.id, { limit: 1, cursor: "1" })).items[0];
  return monthAt(Date.parse((made ?? tenant).at));
}
