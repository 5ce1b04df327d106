import { DynamoRefusal, type LeanDynamo, type WireItem, withLeanStore } from "../../dynamo/lean-client.ts";
import { queryAll, queryPages } from "../../dynamo/query-pages.ts";
import { SEALS, tableName } from "../../dynamo/tables.ts";
import { numberOf, textOf } from "../ledger/wire-row.ts";
import type { Agenda, Frontier, PublishedHour, SealingStore } from "./sealing-store.ts";

const CALL_TIMEOUT_MS = 5_000;

/**
 * ```
 * pk  state           sk  frontier          first, next
 *     agenda#seal         2026-11-23T19
 *     hours#2026-11       2026-11-23T19     n changes, sd sealed, au audited, of
 * ```
 */
type Source = { readonly lean: LeanDynamo; readonly tablePrefix: string };
type Key = { readonly pk: string; readonly sk: string };

const FRONTIER: Key = { pk: "state", sk: "frontier" };

export function createSealingStore(source: Source): SealingStore {
  return {
    frontier: () => withLeanStore(() => frontier(source)),
    begin: (firstHour) => withLeanStore(() => begin(source, firstHour)),
    moveOn: (nextHour) => withLeanStore(() => moveOn(source, nextHour)),
    addToAgenda: (agenda, hour) => withLeanStore(() => put(source, agendaKey(agenda, hour), {})),
    agenda: (agenda, lastHour, limit) => withLeanStore(() => oldest(source, agenda, { lastHour, limit })),
    takeOffAgenda: (agenda, hour) => withLeanStore(() => remove(source, agendaKey(agenda, hour))),
    publish: (hour) => withLeanStore(() => publish(source, hour)),
    published: (month) => withLeanStore(() => published(source, month)),
  };
}

async function frontier({ lean, tablePrefix }: Source): Promise<Frontier | undefined> {
  const input = { TableName: tableName(tablePrefix, SEALS), Key: keyOf(FRONTIER), ConsistentRead: true };
  const { Item } = await lean.call<{ Item?: WireItem }>("GetItem", input, CALL_TIMEOUT_MS);
  return Item && { firstHour: textOf(Item, "first"), nextHour: textOf(Item, "next") };
}

function begin(source: Source, firstHour: string): Promise<void> {
  return putIf(source, {
    Item: { ...keyOf(FRONTIER), first: { S: firstHour }, next: { S: firstHour } },
    ConditionExpression: "attribute_not_exists(pk)",
  });
}

function moveOn({ lean, tablePrefix }: Source, nextHour: string): Promise<void> {
  const input = {
    TableName: tableName(tablePrefix, SEALS),
    Key: keyOf(FRONTIER),
    UpdateExpression: "SET #next = :next",
    ConditionExpression: "#next < :next",
    ExpressionAttributeNames: { "#next": "next" },
    ExpressionAttributeValues: { ":next": { S: nextHour } },
  };
  return unlessRefused(() => lean.call("UpdateItem", input, CALL_TIMEOUT_MS));
}

async function oldest({ lean, tablePrefix }: Source, agenda: Agenda, { lastHour, limit }: { lastHour: string; limit: number }) {
  const hours: string[] = [];
  const query = { table: tableName(tablePrefix, SEALS), pk: `agenda#${agenda}`, between: ["0", lastHour] as const, limit };
  for await (const page of queryPages(lean, query)) {
    hours.push(...page.map((item) => textOf(item, "sk")));
    if (hours.length >= limit) break;
  }
  return hours.slice(0, limit);
}

async function remove({ lean, tablePrefix }: Source, key: Key): Promise<void> {
  await lean.call("DeleteItem", { TableName: tableName(tablePrefix, SEALS), Key: keyOf(key) }, CALL_TIMEOUT_MS);
}

function publish(source: Source, { hour, changes, sealed, audited, of }: PublishedHour): Promise<void> {
  return putIf(source, {
    Item: {
      ...keyOf({ pk: monthKey(hour.slice(0, 7)), sk: hour }),
      n: { N: `${changes}` },
      sd: { N: `${sealed}` },
      au: { N: `${audited}` },
      of: { N: `${of}` },
    },
    ConditionExpression: "attribute_not_exists(pk) OR n < :n",
    ExpressionAttributeValues: { ":n": { N: `${changes}` } },
  });
}

async function published({ lean, tablePrefix }: Source, month: string): Promise<PublishedHour[]> {
  const items = await queryAll(lean, { table: tableName(tablePrefix, SEALS), pk: monthKey(month) });
  return items.map((item) => ({
    hour: textOf(item, "sk"),
    changes: numberOf(item, "n"),
    sealed: numberOf(item, "sd"),
    audited: numberOf(item, "au"),
    of: numberOf(item, "of"),
  }));
}

async function put(source: Source, key: Key, values: WireItem): Promise<void> {
  await source.lean.call(
    "PutItem",
    { TableName: tableName(source.tablePrefix, SEALS), Item: { ...keyOf(key), ...values } },
    CALL_TIMEOUT_MS,
  );
}

/** A put whose condition fails finds that it was done, or overtaken: both are well. */
function putIf({ lean, tablePrefix }: Source, input: object): Promise<void> {
  return unlessRefused(() => lean.call("PutItem", { TableName: tableName(tablePrefix, SEALS), ...input }, CALL_TIMEOUT_MS));
}

async function unlessRefused(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (cause) {
    if (!(cause instanceof DynamoRefusal && cause.isConditionFailed)) throw cause;
  }
}

function agendaKey(agenda: Agenda, hour: string): Key {
  return { pk: `agenda#${agenda}`, sk: hour };
}

function monthKey(month: string): string {
  return `hours#${month}`;
}

function keyOf({ pk, sk }: Key): WireItem {
  return { pk: { S: pk }, sk: { S: sk } };
}
