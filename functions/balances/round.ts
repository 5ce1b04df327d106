import { PAGE_ITEMS_MAX } from "../../shared/base/page.ts";
import { auditBalance } from "../../shared/billing/balances/audit-balance.ts";
import type { BalanceStore } from "../../shared/billing/balances/balance.ts";
import { createRevisionPrices } from "../../shared/billing/balances/lease-cost.ts";
import { balanceEvents, budgetEvents } from "../../shared/billing/balances/watch-budget.ts";
import type { PriceBook } from "../../shared/billing/prices/price-book.ts";
import { readBook } from "../../shared/billing/prices/read-book.ts";
import type { Revision, RevisionLog } from "../../shared/dynamo/revision-log.ts";
import type { Outbox } from "../../shared/events/event.ts";
import type { Log } from "../../shared/log/log.ts";
import { assertNotSetBack, type Round, type RoundCall } from "../../shared/schedule/round.ts";
import { TENANT_GROUP, type Tenant } from "../../shared/tenants/tenant.ts";
import { DAY_MS } from "../../shared/usage/period.ts";
import type { SealReader, TotalReader } from "../../shared/usage/seals/sealed.ts";

/** Further back than the month before this one begins. */
const BOOK_REACH_MS = 62 * DAY_MS;

export type RoundDeps = {
  readonly tenants: RevisionLog<Tenant>;
  readonly balances: BalanceStore;
  readonly prices: RevisionLog<PriceBook>;
  readonly seals: SealReader;
  readonly totals: TotalReader;
  readonly outbox: Outbox;
  readonly log: Log;
};

/**
 * One round over all tenants: settles leases whose rows are sealed and hours that were read again, then tells what budgets and balances have come to.
 * A tenant that cannot be worked on is said in the log and left to the next round. Where a round is told to stop the next one of this process goes on, so that
 * of more tenants than one round can do the last ones have their turn.
 */
export function createBalancesRound(deps: RoundDeps): Round {
  let stoppedAt: Place = { cursor: undefined, count: 0 };
  return async (call) => {
    const work = workOf(deps, call);
    let { cursor, count } = stoppedAt;
    stoppedAt = { cursor: undefined, count: 0 };
    for (;;) {
      const page = await deps.tenants.list(TENANT_GROUP, { limit: PAGE_ITEMS_MAX, ...(cursor === undefined ? {} : { cursor }) });
      for (const { body: tenant } of page.items.slice(count)) {
        if (call.signal.aborted) {
          stoppedAt = { cursor, count };
          return { hasMore: true };
        }
        assertNotSetBack(call);
        await work(tenant);
        count += 1;
      }
      cursor = page.nextCursor;
      count = 0;
      if (cursor === undefined) return { hasMore: false };
    }
  };
}

/** A page of tenants, and how many of it are done. */
type Place = { readonly cursor: string | undefined; readonly count: number };

/** What a round does for each tenant; it reads each price book once. */
function workOf(deps: RoundDeps, { nowMs }: Pick<RoundCall, "nowMs">): (tenant: Tenant) => Promise<void> {
  const audit = { balances: deps.balances, seals: deps.seals, prices: createRevisionPrices(deps.prices) };
  const books = new Map<string, Promise<Revision<PriceBook>[]>>();
  const bookOf = (name: string) => {
    const known = books.get(name) ?? readBook(deps.prices, name, nowMs - BOOK_REACH_MS);
    books.set(name, known);
    return known;
  };
  return async (tenant) => {
    try {
      await auditBalance(audit, tenant.id, nowMs);
      // Nobody waits for word of a closed one; and of a deleted one, whose events are erased, it would be told anew.
      if (tenant.isClosed) return;
      await watch(deps, { tenant, book: tenant.billing === undefined ? [] : await bookOf(tenant.billing.priceBook), nowMs });
    } catch (error) {
      deps.log("error", "a tenant's balance could not be worked on", { error, tenant: tenant.id });
    }
  };
}

type Watch = { readonly tenant: Tenant; readonly book: Revision<PriceBook>[]; readonly nowMs: number };

async function watch({ balances, totals, outbox }: RoundDeps, { tenant, book, nowMs }: Watch) {
  const { balance } = await balances.read(tenant.id);
  const events = [...balanceEvents(balance, { tenant, nowMs }), ...(await budgetEvents(totals, { tenant, book, nowMs }))];
  for (const event of events) await outbox.emit(event);
}
