import { eachItem } from "../../shared/base/page.ts";
import { type Month, rangeOfMonth } from "../../shared/billing/month.ts";
import type { Revision } from "../../shared/dynamo/revision-log.ts";
import type { Tenant } from "../../shared/tenants/tenant.ts";
import type { InvoicingDeps } from "./deps.ts";

/**
 * A tenant by the terms of a month: of the book and the discount that it had when the month ended. An invoice comes a day after that or later, and what is
 * agreed meanwhile is for the months to come. Who is billed, where, and how it is taxed is as it is now: a wrong address is mended until the invoice is out.
 */
export async function inMonth(deps: Pick<InvoicingDeps, "tenants">, { body, at }: Revision<Tenant>, month: Month): Promise<Tenant> {
  const { toMs } = rangeOfMonth(month);
  if (Date.parse(at) < toMs) return body;
  const { billing: now, ...tenant } = body;
  const then = (await lastBefore(deps, body.id, toMs))?.billing;
  if (then === undefined) return tenant; // nothing had a price
  return { ...tenant, billing: { ...(now ?? then), priceBook: then.priceBook, discountBps: then.discountBps } };
}

/** Whether a tenant was closed before a month began: then nothing is due in it but what was used, which is nothing as a rule. Nobody opens a tenant again. */
export async function wasClosedBefore(
  deps: Pick<InvoicingDeps, "tenants">,
  { body, at }: Revision<Tenant>,
  month: Month,
): Promise<boolean> {
  const { fromMs } = rangeOfMonth(month);
  if (!body.isClosed || Date.parse(at) < fromMs) return body.isClosed;
  return (await lastBefore(deps, body.id, fromMs))?.isClosed === true;
}

async function lastBefore({ tenants }: Pick<InvoicingDeps, "tenants">, id: string, beforeMs: number): Promise<Tenant | undefined> {
  for await (const { at, body } of eachItem((page) => tenants.history(id, page))) if (Date.parse(at) < beforeMs) return body;
  return undefined;
}
