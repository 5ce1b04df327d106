import type { WeirEvent } from "../../events/event.ts";
import type { Tenant } from "../../tenants/tenant.ts";
import { HOUR_MS, periodAt, rangeOf } from "../../usage/period.ts";
import type { TotalReader } from "../../usage/seals/sealed.ts";
import { parsePico, printPico } from "../money.ts";
import type { PriceBook, PriceRevision } from "../prices/price-book.ts";
import { createRater } from "../prices/rating.ts";
import type { Balance, Grant } from "./balance.ts";
import { freePico, sweep } from "./purse.ts";

/** A balance is low when no more than this of its grants is left. */
export const LOW_PERCENT = 10n;
/** Rows of a month's end are sealed in the next month, so that month is looked at for this long. */
const LATE_MS = 26 * HOUR_MS;

type Watch = { readonly tenant: Tenant; readonly book: readonly PriceRevision[]; readonly nowMs: number };

/** Which shares of a tenant's budget are reached: one event each, whose id is the month's and the share's, so that it is told once. */
export async function budgetEvents(totals: TotalReader, { tenant, book, nowMs }: Watch): Promise<WeirEvent[]> {
  const budget = tenant.billing?.budget;
  const currency = book[0]?.body.currency;
  if (budget === undefined || currency === undefined) return [];
  const amountPico = parsePico(budget.amount) ?? 0n;
  const events: WeirEvent[] = [];
  for (const month of new Set([nowMs - LATE_MS, nowMs].map((atMs) => periodAt("month", atMs).name))) {
    const spentPico = await spentIn(totals, { tenant, book, month });
    for (const percent of budget.alertPercents) {
      if (spentPico * 100n < amountPico * BigInt(percent)) continue;
      events.push({
        id: `budget-${tenant.id}-${month}-${percent}-of-${budget.amount}`,
        type: "budget.threshold_reached",
        tenant: tenant.id,
        at: new Date(nowMs).toISOString(),
        data: { month, percent, budget: budget.amount, spent: printPico(spentPico), currency },
      });
    }
  }
  return events;
}

/** A month's charges so far, from hours' totals: what is not sealed yet is not in it, nor minimums per request, which only rows tell, nor a commitment. */
async function spentIn(totals: TotalReader, { tenant, book, month }: Omit<Watch, "nowMs"> & { readonly month: string }): Promise<bigint> {
  const rater = createRater(book.map(withoutMinimums), { month, discountBps: tenant.billing?.discountBps ?? 0 });
  for await (const total of totals.totals(tenant.id, "hour", rangeOf({ kind: "month", name: month }))) {
    const { fromMs: hourMs } = rangeOf(total.period);
    for (const sum of total.sums) rater.addSum({ ...sum, hourMs });
    for (const { model, histogram } of total.seconds) rater.addHistogram({ model, hourMs, seconds: histogram });
  }
  return rater.finish().lines.reduce((sum, { amountPico }) => sum + amountPico, 0n);
}

function withoutMinimums({ revision, body }: PriceRevision): PriceRevision {
  const { commitment: _, ...rest }: PriceBook = body;
  return { revision, body: { ...rest, entries: body.entries.map(({ minimumPerRequest: __, ...entry }) => entry) } };
}

/** Whether a prepaid balance is low or empty: told once for what was granted until now, and again only after more was granted. */
export function balanceEvents(stored: Balance, { tenant, nowMs }: Pick<Watch, "tenant" | "nowMs">): WeirEvent[] {
  const balance = sweep(stored, nowMs);
  if (tenant.billing?.isPrepaid !== true || balance.grantedPico === 0n) return [];
  const leftPico = freePico(balance);
  const ofPico = balance.grants.reduce((sum, { amountPico }: Grant) => sum + amountPico, 0n);
  const event = (type: "balance.low" | "balance.exhausted", word: string): WeirEvent => ({
    id: `balance-${word}-${tenant.id}-${printPico(balance.grantedPico)}`,
    type,
    tenant: tenant.id,
    at: new Date(nowMs).toISOString(),
    data: { balance: printPico(leftPico) },
  });
  if (leftPico === 0n) return [event("balance.low", "low"), event("balance.exhausted", "exhausted")];
  return leftPico * 100n <= ofPico * LOW_PERCENT ? [event("balance.low", "low")] : [];
}
