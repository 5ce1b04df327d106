import { DynamoRefusal } from "../../../shared/dynamo/lean-client.ts";
import { TABLES, type TableShape } from "../../../shared/dynamo/tables.ts";
import { holds, UpdateError, updated } from "./evaluate.ts";
import { type Condition, createParser, ExpressionError, type Names } from "./expression.ts";
import { conditionText, conjunctsOf, deleteName, type Guard, getName, guardName, putName, queryName, updateName } from "./guards.ts";
import { type QueryCall, queried } from "./query.ts";
import { createTables, type Stored } from "./stored.ts";
import type { Item } from "./values.ts";

/** A write that changed something, in the order of the store. */
export type Written = {
  readonly atMs: number;
  readonly table: string;
  readonly step: string;
  readonly before: Item | undefined;
  readonly after: Item | undefined;
};

export type FakeDynamo = {
  /** Does what is asked, at once and as a whole. Throws what DynamoDB refuses, and an `Error` for what this fake does not know. */
  readonly apply: (operation: string, input: object, when: When) => object;
  /** The name that guards give to what a call would do; undefined for batches and scans. */
  readonly stepOf: (operation: string, input: object) => string | undefined;
  /** What a table holds, by its short name. */
  readonly items: (table: string) => readonly Item[];
  readonly journal: readonly Written[];
  /** Every guard that a call has named so far. */
  readonly guards: ReadonlySet<Guard>;
  /** How many writes were done that only an ignored condition would have refused. */
  readonly passedOver: () => number;
};

export type When = {
  readonly nowMs: number;
  /** How old a view a read may have that does not ask for a consistent one. */
  readonly lagMs: number;
  /** The same of one that asks for it where the store does not listen; absent, as old as any. */
  readonly unheardLagMs?: number;
  readonly pageItemsMax?: number;
};

export type FakeSettings = {
  readonly tablePrefix: string /** These conditions are taken to hold always. */;
  readonly ignored?: ReadonlySet<Guard>;
};

type Call = Names & {
  readonly TableName?: string;
  readonly Key?: Item;
  readonly Item?: Item;
  readonly ConditionExpression?: string;
  readonly UpdateExpression?: string;
  readonly FilterExpression?: string;
  readonly ConsistentRead?: boolean;
  readonly ReturnValues?: string;
  readonly RequestItems?: Record<string, readonly { PutRequest?: { Item: Item }; DeleteRequest?: { Key: Item } }[]>;
};

/** What the product says in its calls; anything else is unknown here, and said so. */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  PutItem: ["TableName", "Item", "ConditionExpression", "ExpressionAttributeNames", "ExpressionAttributeValues"],
  UpdateItem: [
    ...["TableName", "Key", "UpdateExpression", "ConditionExpression", "ReturnValues"],
    ...["ExpressionAttributeNames", "ExpressionAttributeValues"],
  ],
  DeleteItem: ["TableName", "Key", "ConditionExpression", "ReturnValues", "ExpressionAttributeNames", "ExpressionAttributeValues"],
  Scan: ["TableName", "FilterExpression", "Limit", "ExclusiveStartKey", "ExpressionAttributeNames", "ExpressionAttributeValues"],
  GetItem: ["TableName", "Key", "ConsistentRead", "ProjectionExpression", "ExpressionAttributeNames"],
  BatchWriteItem: ["RequestItems"],
  DescribeTable: ["TableName"],
  Query: [
    ...["TableName", "IndexName", "KeyConditionExpression", "FilterExpression", "ProjectionExpression", "ConsistentRead"],
    ...["ScanIndexForward", "Limit", "ExclusiveStartKey", "Select", "ExpressionAttributeNames", "ExpressionAttributeValues"],
  ],
};

/** A DynamoDB for the product's tables, one step at a time and in memory; time, lag and what goes wrong are its caller's. */
export function createFakeDynamo(settings: FakeSettings): FakeDynamo {
  const tables = createTables();
  const journal: Written[] = [];
  const guards = new Set<Guard>();
  const shapes = new Map<string, TableShape>(TABLES.map((shape) => [`${settings.tablePrefix}-${shape.name}`, shape]));
  const shapeOf = (name: string | undefined) => {
    const shape = shapes.get(name ?? "");
    if (shape === undefined) throw new DynamoRefusal("ResourceNotFoundException", `there is no table ${name}`);
    return shape;
  };
  const store: Store = { tables, journal, guards, ignored: settings.ignored ?? new Set(), shapeOf, passedOver: 0 };
  return {
    apply: (operation, input, when) => asDynamo(() => apply(store, { operation, call: input as Call, when })), // FIELDS checks its names
    stepOf: (operation, input) => stepOf(store, operation, input as Call), // as in apply
    items: (table) => tables.all(table),
    journal,
    guards,
    passedOver: () => store.passedOver,
  };
}

type Store = {
  readonly tables: Stored;
  readonly journal: Written[];
  readonly guards: Set<Guard>;
  readonly ignored: ReadonlySet<Guard>;
  readonly shapeOf: (name: string | undefined) => TableShape;
  passedOver: number;
};
type Asked = { readonly operation: string; readonly call: Call; readonly when: When };

function asDynamo(work: () => object): object {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof ExpressionError || cause instanceof UpdateError) throw new DynamoRefusal("ValidationException", cause.message);
    throw cause;
  }
}

function apply(store: Store, asked: Asked): object {
  const { operation, call, when } = asked;
  const known = FIELDS[operation];
  const strange = known === undefined ? [operation] : Object.keys(call).filter((field) => !known.includes(field));
  if (strange.length > 0) throw new Error(`the fake store does not know ${operation} with ${strange.join(", ")}`);
  switch (operation) {
    case "PutItem":
      return put(store, call, when);
    case "UpdateItem":
      return update(store, call, when);
    case "DeleteItem":
      return remove(store, call, when);
    case "BatchWriteItem":
      return batch(store, call, when);
    case "GetItem":
      return get(store, call, when);
    case "Scan":
      return scan(store, call);
    case "Query":
      return query(store, call, when);
    default:
      return { Table: { TableName: store.shapeOf(call.TableName).name, TableStatus: "ACTIVE" } };
  }
}

function stepOf({ shapeOf }: Store, operation: string, call: Call): string | undefined {
  if (operation === "PutItem") return putName(shapeOf(call.TableName).name, call.Item ?? {});
  if (operation === "DeleteItem") return deleteName(shapeOf(call.TableName).name, call.Key ?? {});
  if (operation === "GetItem") return getName(shapeOf(call.TableName).name, call.Key ?? {});
  const parser = createParser(call);
  if (operation === "Query")
    return queryName(shapeOf(call.TableName).name, parser.condition((call as QueryCall).KeyConditionExpression ?? ""));
  if (operation !== "UpdateItem") return undefined;
  const condition = call.ConditionExpression === undefined ? undefined : parser.condition(call.ConditionExpression);
  return updateName(shapeOf(call.TableName).name, parser.update(call.UpdateExpression ?? ""), condition);
}

function put(store: Store, call: Call, when: When): object {
  const shape = store.shapeOf(call.TableName);
  const item = call.Item ?? {};
  const parser = createParser(call);
  const condition = call.ConditionExpression === undefined ? undefined : parser.condition(call.ConditionExpression);
  parser.assertAllUsed();
  const before = store.tables.now(shape, item);
  const step = putName(shape.name, item);
  demand(store, { step, condition, before });
  write(store, { shape, step, before, after: item }, when);
  return {};
}

function update(store: Store, call: Call, when: When): object {
  const shape = store.shapeOf(call.TableName);
  const key = call.Key ?? {};
  const parser = createParser(call);
  const updates = parser.update(call.UpdateExpression ?? "");
  const condition = call.ConditionExpression === undefined ? undefined : parser.condition(call.ConditionExpression);
  parser.assertAllUsed();
  const before = store.tables.now(shape, key);
  const step = updateName(shape.name, updates, condition);
  demand(store, { step, condition, before });
  const after = updated(updates, before ?? key);
  write(store, { shape, step, before, after }, when);
  if (call.ReturnValues === undefined || call.ReturnValues === "NONE") return {};
  if (call.ReturnValues === "ALL_NEW") return { Attributes: after };
  if (call.ReturnValues === "ALL_OLD") return before === undefined ? {} : { Attributes: before };
  throw new Error(`the fake store does not know ReturnValues ${call.ReturnValues}`);
}

function remove(store: Store, call: Call, when: When): object {
  const shape = store.shapeOf(call.TableName);
  const key = call.Key ?? {};
  const parser = createParser(call);
  const condition = call.ConditionExpression === undefined ? undefined : parser.condition(call.ConditionExpression);
  parser.assertAllUsed();
  const before = store.tables.now(shape, key);
  const step = deleteName(shape.name, key);
  demand(store, { step, condition, before });
  if (before !== undefined) write(store, { shape, step, before, after: undefined }, when);
  return call.ReturnValues === "ALL_OLD" && before !== undefined ? { Attributes: before } : {};
}

/** The whole table at once: a filter counts what it looks at, and nobody here has so much that a page would end. */
function scan(store: Store, call: Call): object {
  const parser = createParser(call);
  const filter = call.FilterExpression === undefined ? undefined : parser.condition(call.FilterExpression);
  parser.assertAllUsed();
  const all = store.tables.all(store.shapeOf(call.TableName).name);
  return { Items: all.filter((item) => filter === undefined || holds(filter, item)), ScannedCount: all.length };
}

/** Each of a batch's writes stands for itself; who may lose some of them is the caller's business. */
function batch(store: Store, call: Call, when: When): object {
  for (const [table, requests] of Object.entries(call.RequestItems ?? {})) {
    if (requests.length > 25) throw new DynamoRefusal("ValidationException", "a batch has 25 writes at most");
    for (const { PutRequest, DeleteRequest } of requests) {
      if (PutRequest !== undefined) put(store, { TableName: table, Item: PutRequest.Item }, when);
      else if (DeleteRequest !== undefined) remove(store, { TableName: table, Key: DeleteRequest.Key }, when);
    }
  }
  return { UnprocessedItems: {} };
}

function query(store: Store, call: Call, when: When): object {
  const shape = store.shapeOf(call.TableName);
  const lagMs = (condition: Condition) => lagOf(store, { step: queryName(shape.name, condition), call, when });
  return queried({ ...when, lagMs }, { tables: store.tables, shape, call });
}

function get(store: Store, call: Call, when: When): object {
  const shape = store.shapeOf(call.TableName);
  const lagMs = lagOf(store, { step: getName(shape.name, call.Key ?? {}), call, when });
  const Item = store.tables.asOf(shape, call.Key ?? {}, when.nowMs - lagMs);
  return Item === undefined ? {} : { Item };
}

/** A consistent read is a guard, too: without it a reader may see what was. */
function lagOf(store: Store, { step, call, when }: { readonly step: string; readonly call: Call; readonly when: When }): number {
  if (call.ConsistentRead !== true) return when.lagMs;
  const guard = guardName(step, "ConsistentRead");
  store.guards.add(guard);
  return store.ignored.has(guard) ? (when.unheardLagMs ?? when.lagMs) : 0;
}

type Demand = { readonly step: string; readonly condition: Condition | undefined; readonly before: Item | undefined };

function demand(store: Store, { step, condition, before }: Demand) {
  let isPassedOver = false;
  for (const each of condition === undefined ? [] : conjunctsOf(condition)) {
    const guard = guardName(step, conditionText(each));
    store.guards.add(guard);
    if (holds(each, before ?? {})) continue;
    if (!store.ignored.has(guard)) throw new DynamoRefusal("ConditionalCheckFailedException", "The conditional request failed");
    isPassedOver = true;
  }
  if (isPassedOver) store.passedOver += 1;
}

type Change = { readonly shape: TableShape; readonly step: string; readonly before: Item | undefined; readonly after: Item | undefined };

function write(store: Store, { shape, step, before, after }: Change, { nowMs }: When) {
  store.tables.write(shape, (after ?? before) as Item, { atMs: nowMs, isGone: after === undefined }); // one of the two is there
  if (JSON.stringify(before) !== JSON.stringify(after)) store.journal.push({ atMs: nowMs, table: shape.name, step, before, after });
}
