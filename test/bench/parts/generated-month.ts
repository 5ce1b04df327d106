import type { LeanDynamo, WireItem } from "../../../shared/dynamo/lean-client.ts";
import { settledItem } from "../../../shared/usage/ledger/wire-row.ts";
import { MINUTE_MS } from "../../../shared/usage/period.ts";
import { bucketKey, minuteOf, type UsageRow } from "../../../shared/usage/row.ts";
import type { TenantBucket } from "../../../shared/usage/seals/seal.ts";
import { startSeal } from "../../../shared/usage/seals/seal-builder.ts";
import type { SealReader } from "../../../shared/usage/seals/sealed.ts";

/** As many as one answer of DynamoDB holds: 1 MB. */
const PAGE_ROWS_MAX = 3_000;
/** Most rows are spread evenly; the rest comes in a few minutes, as bursts do. */
const EVEN_SHARE = 0.7;
const BURST_EVERY_MINUTES = 997;

export type GeneratedMonth = {
  /** Answers the ledger's queries with rows that are made as they are asked for, as texts that are parsed, as an answer of the store is. */
  readonly lean: LeanDynamo;
  readonly seals: SealReader;
};

/** A month of one tenant in which nothing is kept: every row follows from its minute and its place there. */
export function generateMonth({
  tenant,
  rows,
  fromMs,
  toMs,
}: {
  tenant: string;
  rows: number;
  fromMs: number;
  toMs: number;
}): GeneratedMonth {
  const minutes = (toMs - fromMs) / MINUTE_MS;
  const bursts = Math.ceil(minutes / BURST_EVERY_MINUTES);
  const even = Math.floor((rows * EVEN_SHARE) / minutes);
  const burst = Math.floor((rows - even * minutes) / bursts);
  const countIn = (place: number) =>
    even + (place % BURST_EVERY_MINUTES === 0 ? burst : 0) + (place === 0 ? rows - even * minutes - burst * bursts : 0);
  const rowOf = (place: number, number: number) => generatedRow(tenant, { fromMs: fromMs + place * MINUTE_MS, number, of: countIn(place) });
  const textOf = wireTexts();
  const placeOf = new Map(Array.from({ length: minutes }, (_, place) => [bucketKey(minuteOf(fromMs + place * MINUTE_MS), 0), place]));

  const page = (place: number, start: number, limit: number): string => {
    const end = Math.min(start + Math.min(limit, PAGE_ROWS_MAX), countIn(place));
    const items = Array.from({ length: end - start }, (_, each) => textOf(rowOf(place, start + each)));
    const last = end < countIn(place) ? `,"LastEvaluatedKey":{"sk":{"S":"${end}"}}` : "";
    return `{"Items":[${items.join(",")}]${last}}`;
  };
  const lean: LeanDynamo = {
    async call<T>(_: string, input: object): Promise<T> {
      await new Promise((done) => setImmediate(done)); // an answer never comes at once
      const {
        ExpressionAttributeValues,
        ExclusiveStartKey,
        Limit = PAGE_ROWS_MAX,
      } = input as {
        ExpressionAttributeValues: WireItem;
        ExclusiveStartKey?: WireItem;
        Limit?: number;
      };
      const [pk, start] = [ExpressionAttributeValues[":pk"], ExclusiveStartKey?.["sk"]];
      const place = placeOf.get(pk !== undefined && "S" in pk ? pk.S : "");
      if (place === undefined) throw new Error("only the month's buckets are asked for");
      return JSON.parse(page(place, start !== undefined && "S" in start ? Number(start.S) : 0, Limit));
    },
    clockSkewMs: () => 0,
    close: async () => {},
  };
  return { lean, seals: sealsOf({ fromMs, minutes, countIn, rowOf }) };
}

type Made = {
  readonly fromMs: number;
  readonly minutes: number;
  readonly countIn: (place: number) => number;
  readonly rowOf: (place: number, number: number) => UsageRow;
};

/** Seals are made of the rows when they are asked for: rows are made twice, and kept never. */
function sealsOf({ fromMs, minutes, countIn, rowOf }: Made): SealReader {
  const closed = { of: minutes, sealed: minutes, audited: minutes };
  async function* ofTenant(): AsyncGenerator<TenantBucket> {
    for (let place = 0; place < minutes; place += 1) {
      const seal = startSeal();
      for (let number = 0; number < countIn(place); number += 1) seal.add(rowOf(place, number));
      const [own] = seal.finish().tenants;
      if (own !== undefined) yield { minute: minuteOf(fromMs + place * MINUTE_MS), shard: 0, revision: 1, tenant: own };
    }
  }
  const notAsked = () => {
    throw new Error("a round does not ask for that");
  };
  return { completeness: async () => closed, ofTenant, hours: notAsked, firstUnsealed: notAsked, seals: notAsked, leases: notAsked };
}

const ID_TAIL = "-7000-8000-";

function generatedRow(tenant: string, { fromMs, number, of }: { fromMs: number; number: number; of: number }): UsageRow {
  const ms = (fromMs + Math.floor((number * MINUTE_MS) / of)).toString(16).padStart(12, "0");
  return {
    requestId: `${ms.slice(0, 8)}-${ms.slice(8)}${ID_TAIL}${number.toString(16).padStart(12, "0")}`,
    tenant,
    ...{ keyId: "k", model: number % 3 === 0 ? "minilm" : "writer", version: 1, servedVersion: 1 + (number % 2), arm: "stable" },
    ...{ tier: "cpu", dialect: "openai", task: "embed", outcome: "ok", inputs: 1, priceVersion: 1, fingerprint: "f".repeat(64) },
    inputTokens: 1 + (number % 400),
    outputTokens: number % 90,
    computeMs: 1 + (number % 70),
  };
}

/** Rows as texts of the wire; but for what differs they are made once, or making them would be most of what is measured. */
function wireTexts() {
  const marks = { inputTokens: 900_000_001, outputTokens: 900_000_002, computeMs: 900_000_003 };
  const patterns = new Map<string, readonly string[]>();
  return (row: UsageRow): string => {
    const kind = `${row.model} ${row.servedVersion}`;
    const known = patterns.get(kind) ?? splitOf(settledItem({ pk: "p", sk: "@id" }, { ...row, ...marks, acceptedAtMs: 900_000_004 }));
    patterns.set(kind, known);
    const values = [`${row.tenant}#${row.requestId}`, row.inputTokens, row.outputTokens, row.computeMs, 0];
    return known.map((part) => (part.length === 1 ? values[Number(part)] : part)).join("");
  };
}

function splitOf(item: WireItem): string[] {
  return JSON.stringify(item)
    .split(/(@id|90000000[1-4])/)
    .map((part) => (part === "@id" ? "0" : /^90000000[1-4]$/.test(part) ? part.slice(-1) : part));
}
