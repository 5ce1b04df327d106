import { v7 as uuidV7 } from "uuid";
import { composeRound } from "../../functions/sealer/compose.ts";
import type { Identities, Identity } from "../../functions/sealer/sealer.ts";
import { acceptedAtMsOf } from "../../shared/base/id.ts";
import type { LeanDynamo, WireItem } from "../../shared/dynamo/lean-client.ts";
import { LEDGER, SEALS, tableName } from "../../shared/dynamo/tables.ts";
import type { Round } from "../../shared/schedule/round.ts";
import { createRowReader } from "../../shared/usage/ledger/row-reader.dynamo.ts";
import { pendingItem, settledItem, voidMarker } from "../../shared/usage/ledger/wire-row.ts";
import { ledgerAddress, type ShardSchedule, type UsageRow } from "../../shared/usage/row.ts";
import { createSealReader, createTotalReader } from "../../shared/usage/seals/seal-reader.ts";
import { createSealStore } from "../../shared/usage/seals/seal-store.dynamo.ts";
import type { RowReader, SealReader, TotalReader } from "../../shared/usage/seals/sealed.ts";
import { createSealingStore } from "../../shared/usage/seals/sealing-store.dynamo.ts";
import { createTotalStore } from "../../shared/usage/totals/total-store.dynamo.ts";
import { createFakeDynamo, type FakeDynamo } from "./fake-dynamo/fake-dynamo.ts";
import { type LeanUse, leanOver } from "./fake-dynamo/lean.ts";

const PREFIX = "weir";

/** A ledger with sealers over a store in memory, whose time is an argument. */
export type SealingWorld = {
  readonly store: FakeDynamo;
  readonly lean: LeanDynamo;
  /** What has been asked of the store so far, by table and operation. */
  readonly calls: ReadonlyMap<string, number>;
  readonly put: (item: WireItem) => Promise<void>;
  /** Settles a row as a gateway does. */
  readonly settle: (row: UsageRow) => Promise<void>;
  readonly reserve: (row: UsageRow, state: { expiresAtMs: number; checkpointed: number }) => Promise<void>;
  /** Puts a void marker beside a row. */
  readonly mark: (row: UsageRow) => Promise<void>;
  readonly sealer: (lean?: LeanDynamo) => Round;
  /** Rounds at one moment until nothing waits. */
  readonly sealAt: (nowMs: number) => Promise<void>;
  readonly seals: SealReader;
  readonly totals: TotalReader;
  readonly rows: RowReader;
  readonly logged: string[];
  /** What has been forgotten of Idempotency-Keys. */
  readonly forgotten: { readonly answers: Identity[]; readonly keys: Identity[] };
};

export function createSealingWorld(settings: {
  schedule: ShardSchedule;
  firstTenantAtMs: number | undefined;
  use?: LeanUse;
}): SealingWorld {
  const { schedule, firstTenantAtMs } = settings;
  const store = createFakeDynamo({ tablePrefix: PREFIX });
  const calls = new Map<string, number>();
  const logged: string[] = [];
  const forgotten = { answers: [] as Identity[], keys: [] as Identity[] };
  const identities: Identities = {
    dropAnswer: async (identity) => void forgotten.answers.push(identity),
    remove: async (identity) => void forgotten.keys.push(identity),
  };
  const lean = leanOver(store, {
    ...settings.use,
    seen: (operation, table) => calls.set(`${table} ${operation}`, (calls.get(`${table} ${operation}`) ?? 0) + 1),
  });
  const source = { lean, tablePrefix: PREFIX };
  const sealStore = createSealStore(source);
  const totalStore = createTotalStore(source);
  const seals = createSealReader({ seals: sealStore, sealing: createSealingStore(source), totals: totalStore, schedule });
  const put = async (Item: WireItem) => void (await lean.call("PutItem", { TableName: tableName(PREFIX, LEDGER), Item }, 1_000));
  const log = (_: string, message: string, fields?: object) => logged.push(`${message} ${JSON.stringify(fields)}`);
  const sealer = (through: LeanDynamo = lean) =>
    composeRound({ lean: through, tablePrefix: PREFIX, schedule, identities, firstTenantAtMs: async () => firstTenantAtMs, log });
  return {
    store,
    lean,
    calls,
    put,
    settle: (row) => put(settledItem(ledgerAddress(row, schedule), { ...row, acceptedAtMs: acceptedAtMsOf(row.requestId) })),
    reserve: (row, state) => put(pendingOf(row, schedule, state)),
    mark: (row) => put(voidMarker(ledgerAddress(row, schedule), 0)),
    sealer,
    sealAt: (nowMs) => roundsAt(sealer(), nowMs),
    seals,
    totals: createTotalReader(totalStore),
    rows: createRowReader({ ...source, seals }),
    logged,
    forgotten,
  };
}

export const SEALS_TABLE = tableName(PREFIX, SEALS);
const ROUNDS_MAX = 10_000;

export async function roundsAt(round: Round, nowMs: number): Promise<void> {
  const signal = new AbortController().signal;
  for (let rounds = 0; rounds < ROUNDS_MAX; rounds += 1) if (!(await round({ nowMs, signal })).hasMore) return;
  throw new Error(`a sealer still has work after ${ROUNDS_MAX} rounds`);
}

export async function listed<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

let made = 0;

/** A settled row of a moment; what is not said does not matter. */
export function rowAt(atMs: number, values: Partial<UsageRow> = {}): UsageRow {
  made += 1;
  const random = Uint8Array.from({ length: 16 }, (_, place) => (made >> ((place % 4) * 8)) & 0xff);
  return {
    requestId: uuidV7({ msecs: atMs, random }),
    tenant: "acme",
    ...{ keyId: "k", model: "minilm", version: 1, servedVersion: 1, arm: "stable", tier: "cpu", dialect: "openai", task: "embed" },
    ...{ outcome: "ok", inputs: 1, inputTokens: 7, outputTokens: 0, computeMs: 3, priceVersion: 1, fingerprint: "f" },
    ...values,
  };
}

/** A row that was reserved and, if tokens were checkpointed, knows who serves it. */
function pendingOf(row: UsageRow, schedule: ShardSchedule, { expiresAtMs, checkpointed }: { expiresAtMs: number; checkpointed: number }) {
  const address = ledgerAddress(row, schedule);
  const acceptedAtMs = acceptedAtMsOf(row.requestId);
  const pending = pendingItem(address, { ...row, epoch: 1, expiresInMs: 0, acceptedAtMs, expiresAtMs });
  const { oc: _, to: __, ...known } = settledItem(address, { ...row, acceptedAtMs });
  return { ...known, ...pending, pg: { N: `${checkpointed}` } };
}
