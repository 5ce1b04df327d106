import { type Month, monthAt } from "../../shared/billing/month.ts";
import type { Revision } from "../../shared/dynamo/revision-log.ts";
import { firstTenantAtMs, madeAtMs } from "../../shared/tenants/made-at.ts";
import type { Tenant } from "../../shared/tenants/tenant.ts";
import type { InvoicingDeps } from "./deps.ts";

type Tenants = Pick<InvoicingDeps, "tenants">;

/** The month in which the first tenant was made: nothing can have been metered before. Asked once in an installation's life. */
export async function firstMonth({ tenants }: Tenants, nowMs: number): Promise<Month> {
  return monthAt(Math.min((await firstTenantAtMs(tenants)) ?? nowMs, nowMs));
}

/** Whether a tenant was there in a month: a commitment is not due for months before. */
export async function wasThere(deps: Tenants, tenant: Revision<Tenant>, month: Month): Promise<boolean> {
  const wasChangedBefore = monthAt(Date.parse(tenant.at)) <= month; // then it was made before, too
  return wasChangedBefore || monthAt(await madeAtMs(deps.tenants, tenant)) <= month;
}
