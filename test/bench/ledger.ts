import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { systemClock } from "../../shared/base/clock.ts";
import { acceptedAtMsOf, systemIds } from "../../shared/base/id.ts";
import { createTables } from "../../shared/dynamo/create-tables.ts";
import { createLeanDynamo, type LeanDynamo } from "../../shared/dynamo/lean-client.ts";
import { createSdkDynamo } from "../../shared/dynamo/sdk.ts";
import { createLedger } from "../../shared/usage/ledger/ledger.dynamo.ts";
import type { Ledger } from "../../shared/usage/ledger/ledger.ts";
import { settledItem } from "../../shared/usage/ledger/wire-row.ts";
import { ledgerAddress, type ShardSchedule, type UsageRow } from "../../shared/usage/row.ts";
import { median } from "./load.ts";
import { startPart } from "./processes.ts";

const CONNECTIONS = 128;
const ROUNDS = 3;
const ROUND_MS = 4_000;
const TIMEOUT_MS = 10_000;
const BAR = 2;
const SCHEDULE: ShardSchedule = [{ fromMinute: "", shardCount: 4 }];

type Way = { readonly name: string; readonly meter: (row: UsageRow) => Promise<void> };
type Sample = { readonly rowsPerSecond: number; readonly cpuUs: number };

/**
 * Rows made durable per second on the embedded store, by group commit and by one put for each, in turn; and what a metered request costs the gateway's
 * process in CPU, settled only and reserved before its work. The ratio is of rows per second, group commit ÷ one put per row.
 */
export async function benchLedger() {
  const folder = await mkdtemp(join(tmpdir(), "weir-bench-"));
  const store = await startPart(fileURLToPath(new URL("./parts/stub-store.ts", import.meta.url)), { args: ["embedded", folder] });
  process.env["AWS_ACCESS_KEY_ID"] = process.env["AWS_SECRET_ACCESS_KEY"] = "bench";
  const dynamo = createSdkDynamo({ region: "us-east-1", tablePrefix: "weir", endpoint: `http://127.0.0.1:${store.port}` });
  const lean = createLeanDynamo(dynamo.settings, systemClock);
  try {
    await createTables(dynamo);
    await compare(waysOf(lean));
  } finally {
    await lean.close();
    await dynamo.close();
    await store.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

function waysOf(lean: LeanDynamo): readonly [Way, Way, Way] {
  const ledger = createLedger({ lean, tablePrefix: "weir", schedule: SCHEDULE, clock: systemClock, log: () => {} });
  return [
    { name: "settle only, group commit", meter: (row) => ledger.settle(row, TIMEOUT_MS) },
    { name: "one put per row", meter: (row) => putAlone(lean, row) },
    { name: "reserve, then settle", meter: (row) => reserveAndSettle(ledger, row) },
  ];
}

async function compare(ways: readonly [Way, Way, Way]) {
  const samples = new Map<Way, Sample[]>(ways.map((way) => [way, []]));
  for (const way of ways) await sample(way, ROUND_MS / 4);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const way of ways) samples.get(way)?.push(await sample(way, ROUND_MS));
  }
  const middle = (way: Way, key: keyof Sample) => median((samples.get(way) ?? []).map((each) => each[key]));
  console.table(
    ways.map((way) => ({
      metered: way.name,
      connections: CONNECTIONS,
      "rows/s": Math.round(middle(way, "rowsPerSecond")),
      "cpu µs/request": Math.round(middle(way, "cpuUs")),
    })),
  );
  const [grouped, alone] = ways;
  console.log(`bench ledger ratio=${(middle(grouped, "rowsPerSecond") / middle(alone, "rowsPerSecond")).toFixed(2)} bar=${BAR}`);
}

/** A closed loop, as of so many requests at once. */
async function sample({ meter }: Way, durationMs: number): Promise<Sample> {
  const [cpu, startedAtMs] = [process.cpuUsage(), performance.now()];
  let rows = 0;
  const drive = async () => {
    for (; performance.now() < startedAtMs + durationMs; rows += 1) await meter(newRow());
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, drive));
  const { user, system } = process.cpuUsage(cpu);
  return { rowsPerSecond: (rows * 1_000) / (performance.now() - startedAtMs), cpuUs: (user + system) / rows };
}

async function putAlone(lean: LeanDynamo, row: UsageRow) {
  const item = settledItem(ledgerAddress(row, SCHEDULE), { ...row, acceptedAtMs: acceptedAtMsOf(row.requestId) });
  await lean.call("PutItem", { TableName: "weir-ledger", Item: item }, TIMEOUT_MS);
}

async function reserveAndSettle(ledger: Ledger, row: UsageRow) {
  const { requestId, tenant, keyId, model, version, arm, dialect, task, inputs, priceVersion, fingerprint } = row;
  const known = { requestId, tenant, keyId, model, version, arm, dialect, task, inputs, priceVersion, fingerprint };
  const reserved = await ledger.reserve({ ...known, epoch: 1, expiresInMs: 60_000 }, TIMEOUT_MS);
  await reserved.settle(row, TIMEOUT_MS);
}

function newRow(): UsageRow {
  return {
    requestId: systemIds.requestId(systemClock.nowMs()),
    ...{
      tenant: "bench-7",
      keyId: systemIds.base62(12),
      model: "all-minilm-l6-v2",
      version: 3,
      servedVersion: 3,
      arm: "stable",
      tier: "cpu",
    },
    ...{ dialect: "openai", task: "embed", outcome: "ok", inputs: 1, inputTokens: 12, outputTokens: 0, computeMs: 4 },
    ...{ priceVersion: 1, fingerprint: "0".repeat(43) },
  };
}
