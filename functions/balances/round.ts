import { eachItem } from "../../shared/base/page.ts";
import { auditBalance } from "../../shared/billing/balances/audit-balance.ts";
import type { BalanceStore } from "../../shared/billing/balances/balance.ts";
import { createRevisionPrices } from "../../shared/billing/balances/lease-cost.ts";
import { balanceEvents, budgetEvents } from "../../shared/billing/balances/watch-budget.ts";
import type { PriceBook } from "../../shared/billing/prices/price-book.ts";
import { readBook } from "../../shared/billing/prices/read-book.ts";
import type { Revision, RevisionLog } from "../../shared/dynamo/revision-log.ts";
import type { Outbox } from "../../shared/events/event.ts";
import type { Log } from "../../shared/log/log.ts";
import { assertNotSetBack, type Round } from "../../shared/schedule/round.ts";
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
 * A tenant that cannot be worked on is said in the log and left to the next round.
 */
export function createBalancesRound(deps: RoundDeps): Round {
  return async (call) => {
    const { nowMs, signal } = call;
    const audit = { balances: deps.balances, seals: deps.seals, prices: createRevisionPrices(deps.prices) };
    const books = new Map<string, Promise<Revision<PriceBook>[]>>();
    const bookOf = (name: string) => {
      const known = books.get(name) ?? readBook(deps.prices, name, nowMs - BOOK_REACH_MS);
      books.set(name, known);
      return known;
    };
    for await (const { body: tenant } of eachItem((page) => deps.tenants.list(TENANT_GROUP, page))) {
      if (signal.aborted) return { hasMore: true };
      assertNotSetBack(call);
      try {
        await auditBalance(audit, tenant.id, nowMs);
        // Nobody waits for word of a closed one; and of a deleted one, whose events are erased, it would be told anew.
        if (tenant.isClosed) continue;
        await watch(deps, { tenant, book: tenant.billing === undefined ? [] : await bookOf(tenant.billing.priceBook), nowMs });
      } catch (error) {
        deps.log("error", "a tenant's balance could not be worked on", { error, tenant: tenant.id });
      }
    }
    return { hasMore: false };
  };
}

type Watch = { readonly tenant: Tenant; readonly book: Revision<PriceBook>[]; readonly nowMs: number };

async function watch({ balances, totals, outbox }: RoundDeps, { tenant, book, nowMs }: Watch) {
  const { balance } = await balances.read(tenant.id);
  const events = [...balanceEvents(balance, { tenant, nowMs }), ...(await budgetEvents(totals, { tenant, book, nowMs }))];
  for (const event of events) await outbox.emit(event);
}
