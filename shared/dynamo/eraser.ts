import type * as z from "zod";
import { CONTROL_TIMEOUT_MS, type Dynamo } from "./client.ts";
import type { Operation, WireItem } from "./lean-client.ts";
import { isConditionFailed } from "./store-trouble.ts";
import { CONTROL, type TableShape, tableName } from "./tables.ts";

/** Which log's bodies are erased, and what stays of one. */
export type Scrubbing<T> = {
  readonly noun: string;
  readonly id: string;
  readonly schema: z.ZodType<T>;
  readonly scrub: (body: T) => T;
};

export type Swept = { readonly erased: number; readonly isDone: boolean; readonly cursor?: string };

/** Items below one partition key, of those whose sort keys begin so. */
export type Partition = { readonly table: TableShape; readonly pk: string; readonly prefix?: string };

export type Walk = {
  readonly itemsMax: number;
  readonly cursor?: string | undefined;
  /** Called before an item is deleted, for what it leads to. */
  readonly before?: (item: WireItem) => Promise<void>;
};

/**
 * The only thing that changes or removes what was written: for the deletion of a tenant or a person. All of it may be done again; what is erased is passed over.
 */
export type Eraser = {
  /** Scrubs every revision's body, `writesMax` of them at most; who, when and why stay. */
  readonly scrub: <T>(log: Scrubbing<T>, writesMax: number) => Promise<Swept>;
  /** How many revisions hold what scrubbing would remove. */
  readonly unscrubbed: <T>(log: Scrubbing<T>) => Promise<number>;
  readonly deletePartition: (partition: Partition, writesMax: number) => Promise<Swept>;
  readonly itemsOf: (partition: Partition) => AsyncIterable<WireItem>;
  /** Deletes items by their keys, which need not be there; answers how many were. */
  readonly deleteItems: (table: TableShape, keys: readonly { readonly pk: string; readonly sk?: string }[]) => Promise<number>;
  /** How many of them are there. */
  readonly countItems: (table: TableShape, pks: readonly string[]) => Promise<number>;
  /** Walks a table for partitions of a prefix and deletes them, `itemsMax` looked at; goes on from `cursor`. */
  readonly sweep: (table: TableShape, prefix: string, walk: Walk) => Promise<Swept>;
  /** The same with items whose time to live is over. */
  readonly sweepExpired: (table: MortalTable, nowMs: number, walk: Walk) => Promise<Swept>;
};

/** One whose items say how long they are to be kept. */
export type MortalTable = TableShape & { readonly timeToLive: string };

const PAGE_ITEMS = 100;

export function createEraser(dynamo: Dynamo): Eraser {
  return {
    scrub: (log, writesMax) => scrub(dynamo, log, writesMax),
    unscrubbed: (log) => unscrubbed(dynamo, log),
    deletePartition: (each, writesMax) => deletePartition(dynamo, each, writesMax),
    itemsOf: (each) => partition(dynamo, each),
    deleteItems: (table, keys) => deleteItems(dynamo, table, keys),
    countItems: (table, pks) => countItems(dynamo, table, pks),
    sweep: (table, prefix, walk) => sweep(dynamo, { table, filter: "begins_with(pk, :it)", values: { ":it": { S: prefix } } }, walk),
    sweepExpired: (table, nowMs, walk) => {
      const it = { N: String(Math.floor(nowMs / 1_000)) };
      const target = { table, filter: "#ttl < :it", names: { "#ttl": table.timeToLive }, values: { ":it": it } };
      return sweep(dynamo, target, walk);
    },
  };
}

type Asked = { readonly table: TableShape; readonly [parameter: string]: unknown };
type Found = {
  readonly Items?: readonly WireItem[];
  readonly Item?: WireItem;
  readonly Attributes?: WireItem;
  readonly LastEvaluatedKey?: WireItem;
};

function ask({ lean, tablePrefix }: Dynamo, operation: Operation, { table, ...input }: Asked): Promise<Found> {
  return lean.call<Found>(operation, { TableName: tableName(tablePrefix, table), ...input }, CONTROL_TIMEOUT_MS);
}

async function scrub<T>(dynamo: Dynamo, log: Scrubbing<T>, writesMax: number): Promise<Swept> {
  let erased = 0;
  for await (const { item, before, after } of bodiesToScrub(dynamo, log)) {
    if (erased >= writesMax) return { erased, isDone: false };
    await rewrite(dynamo, item, { before, after });
    erased += 1;
  }
  return { erased, isDone: true };
}

async function unscrubbed<T>(dynamo: Dynamo, log: Scrubbing<T>): Promise<number> {
  let count = 0;
  for await (const _ of bodiesToScrub(dynamo, log)) count += 1;
  return count;
}

/** Only those that scrubbing changes. */
async function* bodiesToScrub<T>(dynamo: Dynamo, { noun, id, schema, scrub: scrubbed }: Scrubbing<T>) {
  for await (const item of partition(dynamo, { table: CONTROL, pk: `${noun}#${id}` })) {
    const before = item["body"]?.S ?? "";
    const after = JSON.stringify(scrubbed(schema.parse(JSON.parse(before))));
    if (after !== before) yield { item, before, after };
  }
}

/** Conditional, so that of two erasers at once one finds it done. */
async function rewrite(dynamo: Dynamo, item: WireItem, { before, after }: { before: string; after: string }) {
  const update = {
    Key: keyOf(item),
    UpdateExpression: "SET body = :after",
    ConditionExpression: "body = :before",
    ExpressionAttributeValues: { ":before": { S: before }, ":after": { S: after } },
  };
  try {
    await ask(dynamo, "UpdateItem", { table: CONTROL, ...update });
  } catch (error) {
    if (!isConditionFailed(error)) throw error;
  }
}

async function deletePartition(dynamo: Dynamo, { table, ...where }: Partition, writesMax: number): Promise<Swept> {
  let erased = 0;
  for await (const item of partition(dynamo, { table, ...where })) {
    if (erased >= writesMax) return { erased, isDone: false };
    await ask(dynamo, "DeleteItem", { table, Key: keyOf(item) });
    erased += 1;
  }
  return { erased, isDone: true };
}

async function* partition(dynamo: Dynamo, { table, pk, prefix }: Partition): AsyncGenerator<WireItem> {
  let start: WireItem | undefined;
  do {
    const { Items = [], LastEvaluatedKey }: Found = await ask(dynamo, "Query", {
      table,
      KeyConditionExpression: prefix === undefined ? "pk = :pk" : "pk = :pk AND begins_with(sk, :prefix)",
      ExpressionAttributeValues: { ":pk": { S: pk }, ...(prefix === undefined ? {} : { ":prefix": { S: prefix } }) },
      ConsistentRead: true,
      Limit: PAGE_ITEMS,
      ...(start === undefined ? {} : { ExclusiveStartKey: start }),
    });
    yield* Items;
    start = LastEvaluatedKey;
  } while (start !== undefined);
}

async function deleteItems(dynamo: Dynamo, table: TableShape, keys: readonly { pk: string; sk?: string }[]): Promise<number> {
  let erased = 0;
  for (const { pk, sk } of keys) {
    const Key = { pk: { S: pk }, ...(sk === undefined ? {} : { sk: { S: sk } }) };
    const { Attributes } = await ask(dynamo, "DeleteItem", { table, Key, ReturnValues: "ALL_OLD" });
    if (Attributes !== undefined) erased += 1;
  }
  return erased;
}

async function countItems(dynamo: Dynamo, table: TableShape, pks: readonly string[]): Promise<number> {
  let count = 0;
  for (const pk of pks) {
    const { Item } = await ask(dynamo, "GetItem", { table, Key: { pk: { S: pk } }, ConsistentRead: true });
    if (Item !== undefined) count += 1;
  }
  return count;
}

type Target = {
  readonly table: TableShape;
  readonly filter: string;
  readonly names?: Record<string, string>;
  readonly values: WireItem;
};

/** What a filter finds is deleted if it still holds: an item may have been written anew meanwhile. */
async function sweep(dynamo: Dynamo, { table, filter, names, values }: Target, walk: Walk): Promise<Swept> {
  const said = {
    table,
    ExpressionAttributeValues: values,
    ...(names === undefined ? {} : { ExpressionAttributeNames: names }),
  };
  const start = walk.cursor === undefined ? {} : { ExclusiveStartKey: { pk: { S: walk.cursor } } };
  const { Items = [], LastEvaluatedKey } = await ask(dynamo, "Scan", { ...said, FilterExpression: filter, Limit: walk.itemsMax, ...start });
  for (const item of Items) {
    await walk.before?.(item);
    const remove = { ...said, Key: { pk: item["pk"] ?? { S: "" } }, ConditionExpression: filter };
    await ask(dynamo, "DeleteItem", remove).catch((error) => {
      if (!isConditionFailed(error)) throw error;
    });
  }
  const cursor = LastEvaluatedKey?.["pk"]?.S;
  return { erased: Items.length, isDone: cursor === undefined, ...(cursor === undefined ? {} : { cursor }) };
}

function keyOf({ pk, sk }: WireItem): WireItem {
  if (pk === undefined || sk === undefined) throw new Error("an item of a partition has no key");
  return { pk, sk };
}
