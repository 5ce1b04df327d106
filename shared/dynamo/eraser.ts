import {
  type AttributeValue,
  DeleteItemCommand,
  QueryCommand,
  type QueryCommandOutput,
  ScanCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import type * as z from "zod";
import { type Dynamo, isConditionFailed, withStore } from "./client.ts";
import { CONTROL, type TableShape, tableName } from "./tables.ts";

/** Which log's bodies are erased, and what stays of one. */
export type Scrubbing<T> = {
  readonly noun: string;
  readonly id: string;
  readonly schema: z.ZodType<T>;
  readonly scrub: (body: T) => T;
};

export type Swept = { readonly erased: number; readonly isDone: boolean; readonly cursor?: string };

/**
 * The only thing that changes or removes what was written: for the deletion of a tenant. All of it may be done again; what is erased is passed over.
 */
export type Eraser = {
  /** Scrubs every revision's body, `writesMax` of them at most; who, when and why stay. */
  readonly scrub: <T>(log: Scrubbing<T>, writesMax: number) => Promise<Swept>;
  /** How many revisions hold what scrubbing would remove. */
  readonly unscrubbed: <T>(log: Scrubbing<T>) => Promise<number>;
  /** Deletes the items of one partition of the control table. */
  readonly deletePartition: (pk: string, writesMax: number) => Promise<Swept>;
  /** Walks a table for partitions of a prefix and deletes them, `itemsMax` looked at; goes on from `cursor`. */
  readonly sweep: (
    table: TableShape,
    prefix: string,
    walk: { readonly itemsMax: number; readonly cursor?: string | undefined },
  ) => Promise<Swept>;
};

type Item = Record<string, AttributeValue>;

const PAGE_ITEMS = 100;

export function createEraser(dynamo: Dynamo): Eraser {
  return {
    scrub: (log, writesMax) => withStore(() => scrub(dynamo, log, writesMax)),
    unscrubbed: (log) => withStore(() => unscrubbed(dynamo, log)),
    deletePartition: (pk, writesMax) => withStore(() => deletePartition(dynamo, pk, writesMax)),
    sweep: (table, prefix, walk) => withStore(() => sweep(dynamo, { table, prefix }, walk)),
  };
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
  for await (const item of partition(dynamo, `${noun}#${id}`)) {
    const before = item["body"]?.S ?? "";
    const after = JSON.stringify(scrubbed(schema.parse(JSON.parse(before))));
    if (after !== before) yield { item, before, after };
  }
}

/** Conditional, so that of two erasers at once one finds it done. */
async function rewrite({ client, settings }: Dynamo, item: Item, { before, after }: { before: string; after: string }) {
  const update = new UpdateItemCommand({
    TableName: tableName(settings.tablePrefix, CONTROL),
    Key: keyOf(item),
    UpdateExpression: "SET body = :after",
    ConditionExpression: "body = :before",
    ExpressionAttributeValues: { ":before": { S: before }, ":after": { S: after } },
  });
  try {
    await client.send(update);
  } catch (error) {
    if (!isConditionFailed(error)) throw error;
  }
}

async function deletePartition(dynamo: Dynamo, pk: string, writesMax: number): Promise<Swept> {
  let erased = 0;
  for await (const item of partition(dynamo, pk)) {
    if (erased >= writesMax) return { erased, isDone: false };
    await dynamo.client.send(new DeleteItemCommand({ TableName: tableName(dynamo.settings.tablePrefix, CONTROL), Key: keyOf(item) }));
    erased += 1;
  }
  return { erased, isDone: true };
}

async function* partition({ client, settings }: Dynamo, pk: string): AsyncGenerator<Item> {
  let start: Item | undefined;
  do {
    const { Items = [], LastEvaluatedKey }: QueryCommandOutput = await client.send(
      new QueryCommand({
        TableName: tableName(settings.tablePrefix, CONTROL),
        KeyConditionExpression: "pk = :pk",
        ExpressionAttributeValues: { ":pk": { S: pk } },
        ConsistentRead: true,
        Limit: PAGE_ITEMS,
        ...(start === undefined ? {} : { ExclusiveStartKey: start }),
      }),
    );
    yield* Items;
    start = LastEvaluatedKey;
  } while (start !== undefined);
}

type Target = { readonly table: TableShape; readonly prefix: string };

async function sweep(
  { client, settings }: Dynamo,
  { table, prefix }: Target,
  walk: { itemsMax: number; cursor?: string | undefined },
): Promise<Swept> {
  const TableName = tableName(settings.tablePrefix, table);
  const { Items = [], LastEvaluatedKey } = await client.send(
    new ScanCommand({
      TableName,
      FilterExpression: "begins_with(pk, :prefix)",
      ExpressionAttributeValues: { ":prefix": { S: prefix } },
      Limit: walk.itemsMax,
      ...(walk.cursor === undefined ? {} : { ExclusiveStartKey: { pk: { S: walk.cursor } } }),
    }),
  );
  for (const item of Items) await client.send(new DeleteItemCommand({ TableName, Key: { pk: item["pk"] ?? { S: "" } } }));
  const cursor = LastEvaluatedKey?.["pk"]?.S;
  return { erased: Items.length, isDone: cursor === undefined, ...(cursor === undefined ? {} : { cursor }) };
}

function keyOf({ pk, sk }: Item): Item {
  if (pk === undefined || sk === undefined) throw new Error("an item of the control table has no key");
  return { pk, sk };
}
