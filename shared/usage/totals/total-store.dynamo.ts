import { sha256Hex } from "../../base/hash.ts";
import { DynamoRefusal, type LeanDynamo, type WireItem, withLeanStore } from "../../dynamo/lean-client.ts";
import { queryPages } from "../../dynamo/query-pages.ts";
import { SEALS, tableName } from "../../dynamo/tables.ts";
import { numberOf, textOf } from "../ledger/wire-row.ts";
import { type Period, type PeriodKind, periodAt, type TimeRange } from "../period.ts";
import type { Total } from "../seals/sealed.ts";
import type { StoredTotal, TotalStore } from "./total-store.ts";

const PAGE_CHARACTERS_MAX = 300_000;
const CALL_TIMEOUT_MS = 5_000;

/**
 * ```
 * pk  t#<tenant>   sk  hour#2026-11-23T19   n changes, t the total, or p the names of its pages
 *                      page#<hash>          a piece of a total that is too large for one item
 * ```
 */
type Source = { readonly lean: LeanDynamo; readonly tablePrefix: string };
type Body = Pick<Total, "sums" | "seconds">;

export function createTotalStore(source: Source): TotalStore {
  return {
    put: (total) => withLeanStore(() => put(source, total)),
    get: (tenant, period) => withLeanStore(() => get(source, tenant, period)),
    list: (tenant, kind, range) => list(source, { tenant, kind, range }),
  };
}

async function put(source: Source, { tenant, period, sums, seconds, changes }: StoredTotal): Promise<void> {
  const text = JSON.stringify({ sums, seconds } satisfies Body);
  const body = text.length <= PAGE_CHARACTERS_MAX ? { t: { S: text } } : { p: { S: JSON.stringify(await putPages(source, tenant, text)) } };
  const input = {
    TableName: tableName(source.tablePrefix, SEALS),
    Item: { ...keyOf(tenant, skOf(period)), n: { N: `${changes}` }, ...body },
    ConditionExpression: "attribute_not_exists(pk) OR n < :n",
    ExpressionAttributeValues: { ":n": { N: `${changes}` } },
  };
  try {
    await source.lean.call("PutItem", input, CALL_TIMEOUT_MS);
  } catch (cause) {
    if (!(cause instanceof DynamoRefusal && cause.isConditionFailed)) throw cause; // a newer one is there, or this one from an earlier attempt
  }
}

async function putPages({ lean, tablePrefix }: Source, tenant: string, text: string): Promise<string[]> {
  const hashes: string[] = [];
  for (let start = 0; start < text.length; start += PAGE_CHARACTERS_MAX) {
    const piece = text.slice(start, start + PAGE_CHARACTERS_MAX);
    const hash = sha256Hex(piece);
    const Item = { ...keyOf(tenant, `page#${hash}`), t: { S: piece } };
    await lean.call("PutItem", { TableName: tableName(tablePrefix, SEALS), Item }, CALL_TIMEOUT_MS);
    hashes.push(hash);
  }
  return hashes;
}

async function get(source: Source, tenant: string, period: Period): Promise<StoredTotal | undefined> {
  const item = await read(source, keyOf(tenant, skOf(period)));
  return item && totalOf(source, { tenant, kind: period.kind, item });
}

async function* list(source: Source, { tenant, kind, range }: { tenant: string; kind: PeriodKind; range: TimeRange }) {
  if (range.fromMs >= range.toMs) return;
  const pages = queryPages(source.lean, {
    table: tableName(source.tablePrefix, SEALS),
    pk: `t#${tenant}`,
    between: [skOf(periodAt(kind, range.fromMs)), skOf(periodAt(kind, range.toMs - 1))],
  });
  for await (const page of pages) for (const item of page) yield await totalOf(source, { tenant, kind, item });
}

async function totalOf(source: Source, { tenant, kind, item }: { tenant: string; kind: PeriodKind; item: WireItem }): Promise<StoredTotal> {
  const name = textOf(item, "sk").slice(kind.length + 1);
  const text = item["p"] === undefined ? textOf(item, "t") : await readPages(source, tenant, JSON.parse(textOf(item, "p")) as string[]); // what `put` wrote
  return { tenant, period: { kind, name }, changes: numberOf(item, "n"), ...(JSON.parse(text) as Body) }; // what `put` wrote
}

async function readPages(source: Source, tenant: string, hashes: readonly string[]): Promise<string> {
  let text = "";
  for (const hash of hashes) {
    const item = await read(source, keyOf(tenant, `page#${hash}`));
    if (item === undefined) throw new Error(`a total of ${tenant} lacks its page ${hash}`);
    text += textOf(item, "t");
  }
  return text;
}

async function read({ lean, tablePrefix }: Source, key: WireItem): Promise<WireItem | undefined> {
  const input = { TableName: tableName(tablePrefix, SEALS), Key: key, ConsistentRead: true };
  return (await lean.call<{ Item?: WireItem }>("GetItem", input, CALL_TIMEOUT_MS)).Item;
}

function keyOf(tenant: string, sk: string): WireItem {
  return { pk: { S: `t#${tenant}` }, sk: { S: sk } };
}

function skOf({ kind, name }: Period): string {
  return `${kind}#${name}`;
}
