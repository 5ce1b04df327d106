import type { Page, PageQuery } from "../base/page.ts";
import { DynamoRefusal, type LeanDynamo, type WireItem, withLeanStore } from "../dynamo/lean-client.ts";
import { EVENTS, tableName } from "../dynamo/tables.ts";
import { Delivery, type DeliveryStore, type Pointer } from "./delivery.ts";
import { WeirEvent } from "./event.ts";

const CALL_TIMEOUT_MS = 3_000;
/** Instants as texts that sort as numbers do. */
const DIGITS = 15;

type Settings = { readonly lean: LeanDynamo; readonly tablePrefix: string };
type Table = { readonly lean: LeanDynamo; readonly name: string };
type Key = { readonly pk: string; readonly sk: string };

/**
 * One table, four kinds of items: `new` (events that were handed in), `event#<tenant>` (that an event's deliveries were made), `webhook#<id>` (deliveries)
 * and `due` (pointers to deliveries, by time). What must not happen twice is a condition on one item; the rest may be done again.
 */
export function createEventStore({ lean, tablePrefix }: Settings): DeliveryStore {
  const table = { lean, name: tableName(tablePrefix, EVENTS) };
  const safely = <T>(work: () => Promise<T>) => withLeanStore(work);
  return {
    emit: (event) => safely(() => emit(table, WeirEvent.parse(event))),
    newEvents: (limit) => safely(async () => (await query(table, { pk: NEW, limit })).map((item) => eventOf(item))),
    fanOut: (event, webhooks) => safely(() => fanOut(table, event, webhooks)),
    deliver: (event, webhook) => safely(() => makeDelivery(table, event, webhook)),
    due: (nowMs, limit) => safely(async () => (await query(table, { pk: DUE, below: timeKey(nowMs + 1), limit })).map(pointerOf)),
    find: (webhook, event) => safely(async () => deliveryOf(await get(table, deliveryKey(webhook, event)))),
    list: (webhook, page) => safely(() => list(table, webhook, page)),
    move: (before, after) => safely(() => move(table, before, after)),
    dropPointer: (pointer) => safely(() => remove(table, pointerKey(pointer))),
    forget: ({ webhook, event }) => safely(() => remove(table, deliveryKey(webhook, event.id))),
  };
}

export const NEW = "new";
const DUE = "due";

/** The event's own item is put when its deliveries are made, and stays: it is how telling twice is told once. */
async function emit(table: Table, event: WeirEvent) {
  if ((await get(table, eventKey(event))) !== undefined) return;
  await put(table, { ...wireKey(newKey(event)), ev: { S: JSON.stringify(event) } });
}

async function fanOut(table: Table, event: WeirEvent, webhooks: readonly string[]) {
  const key = eventKey(event);
  const isFirst = await putIfAbsent(table, { ...wireKey(key), ev: { S: JSON.stringify(event) } });
  const known = isFirst ? undefined : await get(table, key);
  if (known?.["fo"] === undefined) {
    for (const webhook of webhooks) await makeDelivery(table, known === undefined ? event : eventOf(known), webhook);
    await update(table, key, { set: { fo: { S: "1" } } });
  }
  await remove(table, newKey(event));
}

/** The delivery before its pointer, and both again after a crash between them: what is there already stays as it is. */
async function makeDelivery(table: Table, event: WeirEvent, webhook: string) {
  const dueAtMs = Date.parse(event.at);
  const delivery: Delivery = { webhook, event, state: "pending", attempts: 0, dueAtMs, outcome: "" };
  await putIfAbsent(table, { ...wireKey(deliveryKey(webhook, event.id)), ...valuesOf(delivery) });
  await putPointer(table, { dueAtMs, webhook, event: event.id });
}

async function move(table: Table, before: Delivery, after: Delivery): Promise<boolean> {
  const { webhook, event } = before;
  if (after.dueAtMs !== before.dueAtMs) await putPointer(table, { dueAtMs: after.dueAtMs, webhook, event: event.id });
  const { st, at, du } = valuesOf(before);
  return update(table, deliveryKey(webhook, event.id), { set: valuesOf(after), onlyIf: { st, at, du } });
}

async function list(table: Table, webhook: string, { limit, cursor }: PageQuery): Promise<Page<Delivery>> {
  const items = await query(table, { pk: deliveriesKey(webhook), limit: limit + 1, ...(cursor === undefined ? {} : { above: cursor }) });
  const deliveries = items.slice(0, limit).map(deliveryOf);
  const last = deliveries.at(-1);
  const page = { items: deliveries.filter((each) => each !== undefined) };
  return items.length > limit && last !== undefined ? { ...page, nextCursor: last.event.id } : page;
}

/** Of all that is known of a tenant's events: what was handed in, what was handed out, and a webhook's deliveries. */
export const eventsKey = (tenant: string) => `event#${tenant}`;
export const newPrefix = (tenant: string) => `${tenant}#`;
export const deliveriesKey = (webhook: string) => `webhook#${webhook}`;
const newKey = ({ tenant, id }: WeirEvent): Key => ({ pk: NEW, sk: `${newPrefix(tenant)}${id}` });
const eventKey = ({ tenant, id }: WeirEvent): Key => ({ pk: eventsKey(tenant), sk: id });
const deliveryKey = (webhook: string, event: string): Key => ({ pk: deliveriesKey(webhook), sk: event });
export const pointerKey = ({ dueAtMs, webhook, event }: Pointer): Key => ({ pk: DUE, sk: `${timeKey(dueAtMs)}#${webhook}#${event}` });
const timeKey = (atMs: number) => String(atMs).padStart(DIGITS, "0");
const wireKey = ({ pk, sk }: Key): WireItem => ({ pk: { S: pk }, sk: { S: sk } });

function pointerOf(item: WireItem): Pointer {
  const [time = "", webhook = "", event = ""] = textOf(item, "sk").split("#");
  return { dueAtMs: Number(time), webhook, event };
}

function valuesOf({ event, state, attempts, dueAtMs, outcome }: Delivery) {
  return { ev: { S: JSON.stringify(event) }, st: { S: state }, at: { N: `${attempts}` }, du: { N: `${dueAtMs}` }, oc: { S: outcome } };
}

function deliveryOf(item: WireItem): Delivery;
function deliveryOf(item: WireItem | undefined): Delivery | undefined;
function deliveryOf(item: WireItem | undefined): Delivery | undefined {
  if (item === undefined) return undefined;
  const webhook = textOf(item, "pk").slice("webhook#".length);
  const counts = { attempts: Number(textOf(item, "at")), dueAtMs: Number(textOf(item, "du")) };
  return Delivery.parse({ webhook, event: eventOf(item), state: textOf(item, "st"), outcome: textOf(item, "oc"), ...counts });
}

function eventOf(item: WireItem): WeirEvent {
  return WeirEvent.parse(JSON.parse(textOf(item, "ev")));
}

function textOf(item: WireItem, name: string): string {
  const value = item[name];
  if (value !== undefined && "S" in value) return value.S;
  if (value !== undefined && "N" in value) return value.N;
  throw new Error(`an item of the events has no ${name}`);
}

async function putPointer(table: Table, pointer: Pointer) {
  await put(table, wireKey(pointerKey(pointer)));
}

async function put({ lean, name }: Table, item: WireItem) {
  await lean.call("PutItem", { TableName: name, Item: item }, CALL_TIMEOUT_MS);
}

function putIfAbsent({ lean, name }: Table, item: WireItem): Promise<boolean> {
  const input = { TableName: name, Item: item, ConditionExpression: "attribute_not_exists(pk)" };
  return isMet(() => lean.call("PutItem", input, CALL_TIMEOUT_MS));
}

async function get({ lean, name }: Table, key: Key): Promise<WireItem | undefined> {
  const input = { TableName: name, Key: wireKey(key), ConsistentRead: true };
  return (await lean.call<{ Item?: WireItem }>("GetItem", input, CALL_TIMEOUT_MS)).Item;
}

async function remove({ lean, name }: Table, key: Key) {
  await lean.call("DeleteItem", { TableName: name, Key: wireKey(key) }, CALL_TIMEOUT_MS);
}

/** Sets attributes of an item that is there and, where said, still has these values. */
function update({ lean, name }: Table, key: Key, { set, onlyIf = {} }: { set: WireItem; onlyIf?: WireItem }): Promise<boolean> {
  const names = [...new Set([...Object.keys(set), ...Object.keys(onlyIf)])];
  const values = [...prefixed(":", set), ...prefixed(":was_", onlyIf)];
  const conditions = ["attribute_exists(pk)", ...Object.keys(onlyIf).map((each) => `#${each} = :was_${each}`)];
  const input = {
    TableName: name,
    Key: wireKey(key),
    UpdateExpression: `SET ${Object.keys(set)
      .map((each) => `#${each} = :${each}`)
      .join(", ")}`,
    ConditionExpression: conditions.join(" AND "),
    ExpressionAttributeNames: Object.fromEntries(names.map((each) => [`#${each}`, each])),
    ExpressionAttributeValues: Object.fromEntries(values),
  };
  return isMet(() => lean.call("UpdateItem", input, CALL_TIMEOUT_MS));
}

function prefixed(prefix: string, item: WireItem) {
  return Object.entries(item).map(([name, value]) => [prefix + name, value] as const);
}

type Range = { readonly pk: string; readonly limit: number; readonly above?: string; readonly below?: string };

/** One page, in the order of sort keys, read consistently. */
async function query({ lean, name }: Table, { pk, limit, above, below }: Range): Promise<readonly WireItem[]> {
  const bound = above ?? below;
  const input = {
    TableName: name,
    KeyConditionExpression: ["pk = :pk", ...(bound === undefined ? [] : [`sk ${above === undefined ? "<" : ">"} :bound`])].join(" AND "),
    ExpressionAttributeValues: { ":pk": { S: pk }, ...(bound === undefined ? {} : { ":bound": { S: bound } }) },
    ConsistentRead: true,
    Limit: limit,
  };
  return (await lean.call<{ Items?: readonly WireItem[] }>("Query", input, CALL_TIMEOUT_MS)).Items ?? [];
}

async function isMet(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (cause) {
    if (cause instanceof DynamoRefusal && cause.isConditionFailed) return false;
    throw cause;
  }
}
