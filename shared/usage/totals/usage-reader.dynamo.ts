import { type LeanDynamo, type WireItem, withLeanStore } from "../../dynamo/lean-client.ts";
import { LEDGER, tableName } from "../../dynamo/tables.ts";
import type { UsageReader } from "../ledger/ledger.ts";
import { type StoredUsage, storedUsageOf, textOf, VOID_SUFFIX } from "../ledger/wire-row.ts";
import { bucketKey, minuteOf, type ShardSchedule, shardCountAt } from "../row.ts";
import { compareUsageSums, type UsageSum } from "./report.ts";

const QUERY_TIMEOUT_MS = 3_000;
const QUERIES_AT_ONCE = 8;
const MINUTE_MS = 60_000;

type Settings = { readonly lean: LeanDynamo; readonly tablePrefix: string; readonly schedule: ShardSchedule };

/** Adds up rows straight from the ledger's buckets, so the range must be bounded by whoever asks. */
export function createUsageReader(settings: Settings): UsageReader {
  return { read: (tenant, range) => withLeanStore(() => read(settings, tenant, range)) };
}

async function read(settings: Settings, tenant: string, range: { fromMs: number; toMs: number }): Promise<UsageSum[]> {
  const sums = new Map<string, UsageSum>();
  const buckets = bucketsOf(settings.schedule, range);
  const readSome = async () => {
    for (let bucket = buckets.next(); !bucket.done; bucket = buckets.next()) {
      for (const row of await rowsOf(settings, bucket.value, tenant)) {
        if (row.acceptedAtMs >= range.fromMs && row.acceptedAtMs < range.toMs) add(sums, row);
      }
    }
  };
  await Promise.all(Array.from({ length: QUERIES_AT_ONCE }, readSome));
  return [...sums.values()].sort(compareUsageSums);
}

function* bucketsOf(schedule: ShardSchedule, { fromMs, toMs }: { fromMs: number; toMs: number }) {
  for (let atMs = Math.floor(fromMs / MINUTE_MS) * MINUTE_MS; atMs < toMs; atMs += MINUTE_MS) {
    const minute = minuteOf(atMs);
    for (let shard = 0; shard < shardCountAt(schedule, minute); shard += 1) yield bucketKey(minute, shard);
  }
}

async function rowsOf(settings: Settings, pk: string, tenant: string): Promise<StoredUsage[]> {
  const items = await itemsOf(settings, pk, tenant);
  const voided = new Set(items.map((item) => textOf(item, "sk")).filter((sk) => sk.endsWith(VOID_SUFFIX)));
  return items
    .filter((item) => !voided.has(textOf(item, "sk") + VOID_SUFFIX))
    .map(storedUsageOf)
    .filter((row) => row !== undefined);
}

async function itemsOf(settings: Settings, pk: string, tenant: string): Promise<WireItem[]> {
  const items: WireItem[] = [];
  let start: WireItem | undefined;
  do {
    const page: { Items?: WireItem[]; LastEvaluatedKey?: WireItem } = await settings.lean.call(
      "Query",
      {
        TableName: tableName(settings.tablePrefix, LEDGER),
        KeyConditionExpression: "pk = :pk AND begins_with(sk, :tenant)",
        ExpressionAttributeValues: { ":pk": { S: pk }, ":tenant": { S: `${tenant}#` } },
        ConsistentRead: true,
        ...(start === undefined ? {} : { ExclusiveStartKey: start }),
      },
      QUERY_TIMEOUT_MS,
    );
    items.push(...(page.Items ?? []));
    start = page.LastEvaluatedKey;
  } while (start !== undefined);
  return items;
}

function add(sums: Map<string, UsageSum>, row: StoredUsage) {
  const hour = new Date(row.acceptedAtMs).toISOString().slice(0, 13);
  const named = { hour, model: row.model, version: row.servedVersion, arm: row.arm };
  const sum = sums.get(keyOf(named)) ?? { ...named, requests: 0, inputs: 0, inputTokens: 0, outputTokens: 0, computeMs: 0 };
  sums.set(keyOf(named), {
    ...named,
    requests: sum.requests + 1,
    inputs: sum.inputs + row.inputs,
    inputTokens: sum.inputTokens + row.inputTokens,
    outputTokens: sum.outputTokens + row.outputTokens,
    computeMs: sum.computeMs + row.computeMs,
  });
}

function keyOf(sum: Pick<UsageSum, "hour" | "model" | "version" | "arm">): string {
  return `${sum.hour} ${sum.model} ${String(sum.version).padStart(9, "0")} ${sum.arm}`;
}
