import { systemClock } from "../../shared/base/clock.ts";
import { createBalanceStore } from "../../shared/billing/balances/balance-store.dynamo.ts";
import { createPriceBookStore } from "../../shared/billing/prices/price-book-store.dynamo.ts";
import { createDynamo } from "../../shared/dynamo/client.ts";
import { createLeanDynamo } from "../../shared/dynamo/lean-client.ts";
import { createEventStore } from "../../shared/events/event-store.dynamo.ts";
import { logJson } from "../../shared/log/log.ts";
import { createTenantStore } from "../../shared/tenants/tenant-store.dynamo.ts";
import { createSealReader, createTotalReader } from "../../shared/usage/seal-reader.ts";
import { createSealStore } from "../../shared/usage/seal-store.dynamo.ts";
import { createSealingStore } from "../../shared/usage/sealing-store.dynamo.ts";
import { createTotalStore } from "../../shared/usage/total-store.dynamo.ts";
import type { BalancesConfig } from "./config.ts";
import { createBalancesRound } from "./round.ts";

/** Builds what looks after balances, from its settings: the same for a timer and for Lambda. */
export function compose(config: BalancesConfig) {
  const { WEIR_TABLE_PREFIX: tablePrefix, WEIR_SHARDS: schedule } = config;
  const dynamo = createDynamo({ region: config.AWS_REGION, tablePrefix, endpoint: config.WEIR_DYNAMO_ENDPOINT });
  const lean = createLeanDynamo(dynamo, systemClock);
  const source = { lean, tablePrefix };
  const totals = createTotalStore(source);
  const round = createBalancesRound({
    tenants: createTenantStore(dynamo),
    balances: createBalanceStore(source),
    prices: createPriceBookStore(dynamo),
    seals: createSealReader({ seals: createSealStore(source), sealing: createSealingStore(source), totals, schedule }),
    totals: createTotalReader(totals),
    outbox: createEventStore(source),
    log: logJson,
  });
  const close = async () => {
    await lean.close();
    dynamo.client.destroy();
  };
  return { round, close };
}
