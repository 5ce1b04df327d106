import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { createTrail } from "../shared/audit/trail.dynamo.ts";
import { credentialsOf } from "../shared/aws/credentials.ts";
import { type Clock, systemClock } from "../shared/base/clock.ts";
import { systemIds } from "../shared/base/id.ts";
import { createBalanceStore } from "../shared/billing/balances/balance-store.dynamo.ts";
import { createCreditStore } from "../shared/billing/balances/credit-store.dynamo.ts";
import { createDocumentStore } from "../shared/billing/invoices/document-store.s3.ts";
import {
  createCreditNoteStore,
  createInvoiceStore,
  createReplacementStore,
  createSellerStore,
} from "../shared/billing/invoices/invoice-store.dynamo.ts";
import { createPriceBookStore } from "../shared/billing/prices/price-book-store.dynamo.ts";
import { receiptKeysOf } from "../shared/billing/receipts/receipt.ts";
import { type Dynamo, openDynamo } from "../shared/dynamo/client.ts";
import type { LeanDynamo } from "../shared/dynamo/lean-client.ts";
import { CONTROL, tableName } from "../shared/dynamo/tables.ts";
import { createEventStore } from "../shared/events/event-store.dynamo.ts";
import { createResolve } from "../shared/events/resolve.ts";
import { createWebhookStore } from "../shared/events/webhook-store.dynamo.ts";
import { peppersOf } from "../shared/keys/key.ts";
import { createKeyStore } from "../shared/keys/key-store.dynamo.ts";
import { createKeyUseStore } from "../shared/keys/key-use-store.dynamo.ts";
import { createKeyUses } from "../shared/keys/key-uses.ts";
import { createRevocationStore } from "../shared/keys/revocation-store.dynamo.ts";
import { createLeaseStore } from "../shared/limits/lease-store.dynamo.ts";
import { createSlotStore } from "../shared/limits/slot-store.dynamo.ts";
import { logJson } from "../shared/log/log.ts";
import { createBlobStore } from "../shared/models/blob-store.s3.ts";
import { createModelStore } from "../shared/models/model-store.dynamo.ts";
import { createVersionStore } from "../shared/models/version-store.dynamo.ts";
import { createPersonStore } from "../shared/people/person-store.dynamo.ts";
import { createSplitStore } from "../shared/routing/split-store.dynamo.ts";
import { createDeletionStore } from "../shared/tenants/deletion-store.dynamo.ts";
import { createTenantStore } from "../shared/tenants/tenant-store.dynamo.ts";
import { createLedger } from "../shared/usage/ledger/ledger.dynamo.ts";
import { createRowReader } from "../shared/usage/ledger/row-reader.dynamo.ts";
import { createIdempotencyStore } from "../shared/usage/retries/idempotency-store.dynamo.ts";
import { createKeptBodies } from "../shared/usage/retries/kept-body-store.s3.ts";
import type { ShardSchedule } from "../shared/usage/row.ts";
import { createSealReader, createTotalReader } from "../shared/usage/seals/seal-reader.ts";
import { createSealStore } from "../shared/usage/seals/seal-store.dynamo.ts";
import { createSealingStore } from "../shared/usage/seals/sealing-store.dynamo.ts";
import { createTotalStore } from "../shared/usage/totals/total-store.dynamo.ts";
import { createUsageFigures } from "../shared/usage/totals/usage-figures.ts";
import { createUsageReader } from "../shared/usage/totals/usage-reader.dynamo.ts";
import { createCache } from "./cache.ts";
import { createCatalog } from "./catalog.ts";
import type { EdgeConfig } from "./config.ts";
import type { Deps } from "./deps.ts";
import { createDirectory } from "./directory.ts";
import { openIntake, openPools } from "./doors.ts";
import { LEDGER_DRAIN_TIMEOUT_MS } from "./limits.ts";
import { openLimits } from "./open-limits.ts";
import { openSpender } from "./open-spender.ts";
import { createPrices } from "./prices.ts";
import { createBreakers } from "./serve/breakers.ts";
import { createHealthNotes } from "./serve/health-notes.ts";
import { createUpstreamClient } from "./serve/upstream-client.ts";

export type Composition = {
  readonly deps: Deps /** Writes what waits and lets go of the connections. */;
  readonly close: () => Promise<void>;
};

const READY_TIMEOUT_MS = 2_000;
/** Of this process among those that lease and hold slots. They all stand in a policy's item, and each KB of it costs every write as much again. */
const LIMITER_NAME_LENGTH = 8;

/** Where time, chance, words for the operator and what is kept come from; tests bring their own. */
export type World = Pick<Deps, "clock" | "ids" | "log"> & {
  /** Two clients of one store: the control plane's, and the hot path's. */
  readonly store: { readonly dynamo: Dynamo; readonly lean: LeanDynamo };
};

/** Builds everything that handlers touch. */
export function compose(config: EdgeConfig, world: Partial<World> = {}): Composition {
  const { WEIR_TABLE_PREFIX: tablePrefix, WEIR_SHARDS: schedule } = config;
  const { clock, ids, log } = { clock: systemClock, ids: systemIds, log: logJson, ...world };
  const { dynamo, lean } = world.store ?? openStore(config, clock);
  const control = openControl(dynamo);
  const keyUses = createKeyUseStore(dynamo);
  const noteUse = createKeyUses({ store: keyUses, clock, log });
  const place = { env: config.WEIR_ENV, cell: config.WEIR_CELL };
  const ledger = createLedger({ lean, tablePrefix, schedule, clock, log });
  const resolveHost = createResolve(config.WEIR_WEBHOOK_TARGETS);
  const upstream = createUpstreamClient(config.engines, resolveHost);
  const pools = openPools(config, { clock, log });
  const limits = openLimits({ ...limitStoresOf(lean, { tablePrefix, name: ids.base62(LIMITER_NAME_LENGTH) }), clock });
  const balances = createBalanceStore({ lean, tablePrefix });
  const spending = openSpender({ store: balances, clock, ids, lessee: randomUUID() });
  const blobs = createBlobStore({ region: config.AWS_REGION, bucket: config.WEIR_BUCKET, endpoint: config.WEIR_S3_ENDPOINT });
  const { documents, bodies } = openRecords(config);
  // Anybody may ask for it, so the store is asked once a second at most.
  const readiness = createCache({ load: () => isReady(lean, tablePrefix, ledger), clock, freshMs: 1_000, hardMs: 1_000, itemsMax: 1 });
  const deps: Deps = {
    config,
    clock,
    ids,
    log,
    control,
    keyUses,
    trail: createTrail(dynamo),
    revocation: createRevocationStore(dynamo),
    ledger,
    upstream,
    directory: createDirectory({ ...control, noteUse, clock, place, peppers: peppersOf(config.WEIR_PEPPERS) }),
    catalog: createCatalog({ ...control, clock }),
    limiter: limits.limiter,
    slots: limits.slots,
    prices: createPrices(control.prices, clock),
    pools: new Map(pools.map((pool) => [pool.name, pool])),
    breakers: createBreakers({ clock, log }),
    health: createHealthNotes(clock),
    blobs,
    intake: openIntake(config),
    documents,
    balances,
    spender: spending.spender,
    events: createEventStore({ lean, tablePrefix }),
    resolveHost,
    receiptKeys: receiptKeysOf(config.WEIR_RECEIPT_KEYS),
    idempotency: createIdempotencyStore({ lean, tablePrefix, clock, bodies }),
    ...openUsage({ lean, tablePrefix, schedule }),
    isReady: async () => readiness.get(""),
  };
  const close = async () => {
    const isWritten = await Promise.race([ledger.drain().then(() => true), sleep(LEDGER_DRAIN_TIMEOUT_MS, false, { ref: false })]);
    if (!isWritten) log("error", "the gateway ends although the ledger has not taken everything");
    await Promise.all([limits.close(), spending.close()]);
    await Promise.all([upstream.close(), lean.close(), dynamo.lean.close(), ...pools.map((pool) => pool.client.close())]);
    for (const bucket of [blobs, documents, bodies]) bucket.close();
  };
  return { deps, close };
}

function openRecords({ AWS_REGION: region, WEIR_RECORDS_BUCKET: bucket, WEIR_S3_ENDPOINT: endpoint }: EdgeConfig) {
  const records = { region, bucket, endpoint };
  return { documents: createDocumentStore(records), bodies: createKeptBodies(records) };
}

/** What people change. */
function openControl(dynamo: Dynamo): Deps["control"] {
  return {
    tenants: createTenantStore(dynamo),
    keys: createKeyStore(dynamo),
    people: createPersonStore(dynamo),
    deletions: createDeletionStore(dynamo),
    models: createModelStore(dynamo),
    versions: createVersionStore(dynamo),
    splits: createSplitStore(dynamo),
    prices: createPriceBookStore(dynamo),
    credits: createCreditStore(dynamo),
    invoices: createInvoiceStore(dynamo),
    creditNotes: createCreditNoteStore(dynamo),
    replacements: createReplacementStore(dynamo),
    sellers: createSellerStore(dynamo),
    webhooks: createWebhookStore(dynamo),
  };
}

/** Figures from totals where hours are sealed and from rows for the rest; and what is sealed, as it is. */
function openUsage(source: { lean: LeanDynamo; tablePrefix: string; schedule: ShardSchedule }): Pick<Deps, "usage" | "sealed"> {
  const totals = createTotalStore(source);
  const seals = createSealReader({
    seals: createSealStore(source),
    sealing: createSealingStore(source),
    totals,
    schedule: source.schedule,
  });
  return {
    usage: createUsageFigures({ rows: createUsageReader(source), seals, totals: createTotalReader(totals) }),
    sealed: { seals, rows: createRowReader({ ...source, seals }) },
  };
}

function openStore(config: EdgeConfig, clock: Clock): World["store"] {
  const { AWS_REGION: region, WEIR_TABLE_PREFIX: tablePrefix, WEIR_DYNAMO_ENDPOINT: endpoint } = config;
  return openDynamo({ region, tablePrefix, endpoint, credentials: credentialsOf(config) }, clock);
}

function limitStoresOf(lean: LeanDynamo, { tablePrefix, name }: { readonly tablePrefix: string; readonly name: string }) {
  return { leases: createLeaseStore({ lean, tablePrefix, lessee: name }), slotStore: createSlotStore({ lean, tablePrefix, holder: name }) };
}

/** One read of the store, which also tells how far the clocks are apart. */
async function isReady(lean: LeanDynamo, tablePrefix: string, ledger: Deps["ledger"]): Promise<boolean> {
  try {
    await lean.call("DescribeTable", { TableName: tableName(tablePrefix, CONTROL) }, READY_TIMEOUT_MS);
    ledger.assertSoundClock();
    return true;
  } catch {
    return false;
  }
}
