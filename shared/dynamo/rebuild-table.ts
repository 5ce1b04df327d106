import { setTimeout as sleep } from "node:timers/promises";
import {
  type AttributeValue,
  DeleteTableCommand,
  GetItemCommand,
  PutItemCommand,
  ScanCommand,
  type ScanCommandOutput,
  type TableDescription,
} from "@aws-sdk/client-dynamodb";
import type { SdkDynamo } from "./sdk.ts";
import { auditKeyOf, type TableShape, tableName } from "./tables.ts";

const REBUILD_TIMEOUT_MS = 10 * 60_000;
const GONE_POLL_MS = 25;
const PUTS_AT_ONCE = 25;

type Item = Record<string, AttributeValue>;

/** How tables are seen and made; whoever makes them brings it. */
export type TableMaker = {
  readonly describe: (name: string) => Promise<TableDescription | undefined>;
  /** Resolves when it can be written to. */
  readonly make: (table: TableShape) => Promise<void>;
};

/** Whether a table was made before an index of its shape was known. */
export function lacksIndex({ GlobalSecondaryIndexes = [] }: TableDescription, { indexes = [] }: TableShape): boolean {
  return indexes.some(({ name }) => !GlobalSecondaryIndexes.some(({ IndexName }) => IndexName === name));
}

/**
 * Makes a table anew, with its items, if it lacks an index: dynalite cannot add one. They are kept in a table beside it, and it is deleted only when that one is whole, so
 * whoever is killed in between finds everything at the next start, and begins again or goes on. Nobody else may write meanwhile: for emulators, before the platform starts.
 */
export async function rebuildTable(dynamo: SdkDynamo, table: TableShape, { describe, make }: TableMaker): Promise<void> {
  const { indexes: _, ...plain } = table;
  const beside: TableShape = { ...plain, name: `${table.name}.rebuilding` };
  const signal = AbortSignal.timeout(REBUILD_TIMEOUT_MS);
  const move: Move = { dynamo, signal, keyOfMark: table.partitionKey };
  const nameOf = (shape: TableShape) => tableName(dynamo.tablePrefix, shape);
  const isOld = async () => {
    const found = await describe(nameOf(table));
    return found !== undefined && lacksIndex(found, table);
  };

  if (!(await isWhole(move, beside, describe))) {
    await remove(move, nameOf(beside), describe);
    if (!(await isOld())) return;
    await make(beside);
    await copy(move, nameOf(table), nameOf(beside));
    await put(move, nameOf(beside), wholeMarkOf(beside));
  }
  if (await isOld()) await remove(move, nameOf(table), describe);
  await make(table);
  await copy(move, nameOf(beside), nameOf(table));
  await remove(move, nameOf(beside), describe);
}

type Move = { readonly dynamo: SdkDynamo; readonly signal: AbortSignal; readonly keyOfMark: string };

/** An item that no noun has, put when all others are there. */
const WHOLE = "rebuilding: whole";
function wholeMarkOf({ partitionKey, sortKey }: TableShape): Item {
  return { [partitionKey]: { S: WHOLE }, ...(sortKey === undefined ? {} : { [sortKey]: { S: WHOLE } }) };
}

async function isWhole({ dynamo, signal }: Move, beside: TableShape, describe: TableMaker["describe"]): Promise<boolean> {
  const TableName = tableName(dynamo.tablePrefix, beside);
  if ((await describe(TableName))?.TableStatus !== "ACTIVE") return false;
  const read = new GetItemCommand({ TableName, Key: wholeMarkOf(beside), ConsistentRead: true });
  return (await dynamo.client.send(read, { abortSignal: signal })).Item !== undefined;
}

async function copy(move: Move, from: string, to: string): Promise<void> {
  let start: Item | undefined;
  do {
    const scan = new ScanCommand({ TableName: from, ConsistentRead: true, ...(start === undefined ? {} : { ExclusiveStartKey: start }) });
    const { Items = [], LastEvaluatedKey }: ScanCommandOutput = await move.dynamo.client.send(scan, { abortSignal: move.signal });
    const items = Items.filter((item) => item[move.keyOfMark]?.S !== WHOLE).map(withPlaceInTrail);
    for (let place = 0; place < items.length; place += PUTS_AT_ONCE) {
      await Promise.all(items.slice(place, place + PUTS_AT_ONCE).map((item) => put(move, to, item)));
    }
    start = LastEvaluatedKey;
  } while (start !== undefined);
}

async function put({ dynamo, signal }: Move, TableName: string, Item: Item): Promise<void> {
  await dynamo.client.send(new PutItemCommand({ TableName, Item }), { abortSignal: signal });
}

/** Revisions from before there was a trail across nouns get the place in it that they would have. */
function withPlaceInTrail(item: Item): Item {
  const { pk, sk, at, ak } = item;
  const isRevision = pk?.S !== undefined && at?.S !== undefined && /(^|#)r#[0-9]+$/.test(sk?.S ?? "");
  return isRevision && ak === undefined ? { ...item, ...auditKeyOf(at.S, pk.S) } : item;
}

/** Again if need be: an engine that was killed while it deleted a table does not go on by itself. */
async function remove({ dynamo, signal }: Move, TableName: string, describe: TableMaker["describe"]): Promise<void> {
  if ((await describe(TableName)) === undefined) return;
  await dynamo.client.send(new DeleteTableCommand({ TableName }), { abortSignal: signal });
  while ((await describe(TableName)) !== undefined) await sleep(GONE_POLL_MS, undefined, { signal });
}
