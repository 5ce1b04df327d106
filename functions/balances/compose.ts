import { credentialsOf } from "../../shared/aws/credentials.ts";
import { systemClock } from "../../shared/base/clock.ts";
import { createBalanceStore } from "../../shared/billing/balances/balance-store.dynamo.ts";
import { createPriceBookStore } from "../../shared/billing/prices/price-book-store.dynamo.ts";
import { type Dynamo, openDynamo } from "../../shared/dynamo/client.ts";
import type { LeanDynamo } from "../../shared/dynamo/lean-client.ts";
import { createEventStore } from "../../shared/events/event-store.dynamo.ts";
import { type Log, logJson } from "../../shared/log/log.ts";
import type { Round } from "../../shared/schedule/round.ts";
import { bySoundTime } from "../../shared/schedule/sound-time.ts";
import { createTenantStore } from "../../shared/tenants/tenant-store.dynamo.ts";
import type { ShardSchedule } from "../../shared/usage/row.ts";
import { createSealReader, createTotalReader } from "../../shared/usage/seals/seal-reader.ts";
import { createSealStore } from "../../shared/usage/seals/seal-store.dynamo.ts";
import { createSealingStore } from "../../shared/usage/seals/sealing-store.dynamo.ts";
import { createTotalStore } from "../../shared/usage/totals/total-store.dynamo.ts";
import type { BalancesConfig } from "./config.ts";
import { createBalancesRound } from "./round.ts";

export type BalancesSettings = { readonly dynamo: Dynamo; readonly lean: LeanDynamo; readonly schedule: ShardSchedule; readonly log: Log };

/** The rounds over a store: simulations bring their own. */
export function composeRound({ dynamo, lean, schedule, log }: BalancesSettings): Round {
  const source = { lean, tablePrefix: dynamo.tablePrefix };
  const totals = createTotalStore(source);
  return createBalancesRound({
    tenants: createTenantStore(dynamo),
    balances: createBalanceStore(source),
    prices: createPriceBookStore(dynamo),
    seals: createSealReader({ seals: createSealStore(source), sealing: createSealingStore(source), totals, schedule }),
    totals: createTotalReader(totals),
    outbox: createEventStore(source),
    log,
  });
}

/** Builds what looks after balances, from its settings: the same for a timer and for Lambda. */
export function compose(config: BalancesConfig) {
  const { AWS_REGION: region, WEIR_TABLE_PREFIX: tablePrefix, WEIR_SHARDS: schedule } = config;
  const settings = { region, tablePrefix, endpoint: config.WEIR_DYNAMO_ENDPOINT, credentials: credentialsOf(config) };
  const { dynamo, lean, close } = openDynamo(settings, systemClock);
  // A balance is not read by a clock that is off either: this says so once instead of for each tenant, and asks on behalf of budgets, too.
  return { round: bySoundTime(composeRound({ dynamo, lean, schedule, log: logJson }), { lean, tablePrefix, log: logJson }), close };
}
