import { DynamoRefusal } from "../../../shared/dynamo/lean-client.ts";
import type { TableShape } from "../../../shared/dynamo/tables.ts";
import { holds } from "./evaluate.ts";
import { type Condition, createParser, type Names } from "./expression.ts";
import { conjunctsOf } from "./guards.ts";
import type { Stored } from "./stored.ts";
import { areEqual, type Item, type Path, valueAt } from "./values.ts";

export type QueryCall = Names & {
  readonly IndexName?: string;
  readonly KeyConditionExpression?: string;
  readonly FilterExpression?: string;
  readonly ProjectionExpression?: string;
  readonly ScanIndexForward?: boolean;
  readonly Limit?: number;
  readonly ExclusiveStartKey?: Item;
  readonly Select?: string;
};

type Source = { readonly tables: Stored; readonly shape: TableShape; readonly call: QueryCall };
type View = {
  readonly nowMs: number;
  /** How old a view the query may have, by what it asks for. */
  readonly lagMs: (condition: Condition) => number;
  readonly pageItemsMax?: number;
};
type Keys = { readonly partitionKey: string; readonly sortKey?: string };

/** One page: as many items as `Limit` and the page's bound allow, and the last key that was looked at if there may be more. */
export function queried(view: View, { tables, shape, call }: Source): object {
  const keys = keysOf(shape, call.IndexName);
  const parser = createParser(call);
  const condition = parser.condition(call.KeyConditionExpression ?? "");
  const filter = call.FilterExpression === undefined ? undefined : parser.condition(call.FilterExpression);
  const projection = call.ProjectionExpression === undefined ? undefined : parser.paths(call.ProjectionExpression);
  parser.assertAllUsed();
  const atMs = view.nowMs - view.lagMs(condition);
  const partition = partitionOf(condition, keys);
  const all = call.IndexName === undefined ? tables.partition(shape, partition, atMs) : indexed(tables.all(shape.name), keys, partition);
  const found = all.filter((item) => holds(condition, item));
  const ordered = call.ScanIndexForward === false ? [...found].reverse() : found;
  const rest = ordered.slice(placeAfter(ordered, shape, call.ExclusiveStartKey));
  const page = rest.slice(0, Math.min(call.Limit ?? Number.POSITIVE_INFINITY, view.pageItemsMax ?? Number.POSITIVE_INFINITY));
  const kept = filter === undefined ? page : page.filter((item) => holds(filter, item));
  const last = page.at(-1);
  return {
    Count: kept.length,
    ScannedCount: page.length,
    ...(call.Select === "COUNT" ? {} : { Items: kept.map((item) => projected(item, projection)) }),
    ...(last !== undefined && (page.length < rest.length || page.length === call.Limit)
      ? { LastEvaluatedKey: keyOf(last, shape, keys) }
      : {}),
  };
}

function keysOf(shape: TableShape, indexName: string | undefined): Keys {
  if (indexName === undefined) return shape;
  const index = shape.indexes?.find(({ name }) => name === indexName);
  if (index === undefined) throw new DynamoRefusal("ValidationException", `${shape.name} has no index ${indexName}`);
  return index;
}

/** A query names its partition by `=`, and says of the sort key at most one thing more. */
function partitionOf(condition: Condition, keys: Keys): string {
  const conjuncts = conjunctsOf(condition);
  const partition = conjuncts.find((each) => each.kind === "compare" && each.comparator === "=" && isKey(each.left, keys.partitionKey));
  if (partition?.kind !== "compare" || partition.right.kind !== "value" || !("S" in partition.right.value) || conjuncts.length > 2) {
    throw new DynamoRefusal("ValidationException", "Query key condition not supported");
  }
  return partition.right.value.S;
}

function isKey(operand: { readonly kind: string; readonly path?: Path }, name: string): boolean {
  return operand.kind === "path" && operand.path?.length === 1 && operand.path[0] === name;
}

/** Items with the index's keys, in its order; as fresh as the table, which only ever helps readers that must allow for lag. */
function indexed(items: readonly Item[], keys: Keys, partition: string): readonly Item[] {
  const sortKey = keys.sortKey ?? "";
  const within = items.filter((item) => item[keys.partitionKey] !== undefined && textAt(item, keys.partitionKey) === partition);
  return within.filter((item) => item[sortKey] !== undefined).sort((a, b) => (textAt(a, sortKey) < textAt(b, sortKey) ? -1 : 1));
}

function placeAfter(items: readonly Item[], shape: TableShape, start: Item | undefined): number {
  if (start === undefined) return 0;
  const names = [shape.partitionKey, ...(shape.sortKey === undefined ? [] : [shape.sortKey])];
  const isStart = (item: Item) => names.every((name) => item[name] !== undefined && start[name] !== undefined && isSame(item, start, name));
  const place = items.findIndex(isStart);
  if (place >= 0) return place + 1;
  // The item may be gone by now: what follows its place is what sorts behind it.
  const sortKey = shape.sortKey ?? shape.partitionKey;
  const isReversed = items.length > 1 && textAt(items[0] ?? {}, sortKey) > textAt(items.at(-1) ?? {}, sortKey);
  const behind = items.findIndex((item) =>
    isReversed ? textAt(item, sortKey) < textAt(start, sortKey) : textAt(item, sortKey) > textAt(start, sortKey),
  );
  return behind < 0 ? items.length : behind;
}

function isSame(a: Item, b: Item, name: string): boolean {
  const [left, right] = [a[name], b[name]];
  return left !== undefined && right !== undefined && areEqual(left, right);
}

function keyOf(item: Item, shape: TableShape, keys: Keys): Item {
  const names = new Set([shape.partitionKey, shape.sortKey, keys.partitionKey, keys.sortKey].filter((name) => name !== undefined));
  return Object.fromEntries(Object.entries(item).filter(([name]) => names.has(name)));
}

function projected(item: Item, paths: readonly Path[] | undefined): Item {
  if (paths === undefined) return item;
  if (paths.some((path) => path.length > 1)) throw new Error("the fake store projects whole attributes only");
  return Object.fromEntries(
    paths.flatMap((path) => (valueAt(item, path) === undefined ? [] : [[String(path[0]), item[String(path[0])]]])),
  ) as Item; // those that are there
}

function textAt(item: Item, name: string): string {
  const value = item[name];
  return value !== undefined && "S" in value ? value.S : "";
}
