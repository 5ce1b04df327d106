import * as z from "zod";
import { Failure } from "../base/failure.ts";
import type { Page, PageQuery } from "../base/page.ts";
import { CONTROL_TIMEOUT_MS, type Dynamo } from "../dynamo/client.ts";
import { foreignCursor, readFrom } from "../dynamo/foreign-cursor.ts";
import type { WireItem } from "../dynamo/lean-client.ts";
import { auditMonth, CONTROL, tableName } from "../dynamo/tables.ts";
import { type AuditRange, isMadeBy, type StoredChange, type Trail } from "./audit.ts";

type Found = { readonly Items?: readonly WireItem[]; readonly LastEvaluatedKey?: WireItem; readonly ScannedCount?: number };

/** Index entries that one page looks at; a filter for a rare noun or actor would read on and on. */
const LOOKED_AT_MAX = 1_000;
/** The index does not say who: of each entry that is looked at for somebody, the change itself is read, so many at once. */
const ACTORS_READ_AT_ONCE = 50;
/** Months that one page walks through; empty ones cost a read each. */
const MONTHS_MAX = 14;
const REVISION = /^(?:([0-9]+)#)?r#([0-9]+)$/;
const Cursor = z.object({ ak: z.string(), as: z.string(), pk: z.string(), sk: z.string() });
type Cursor = z.infer<typeof Cursor>;

/** Reads the revision logs across nouns: every revision carries its month and instant for the index `audit`. */
export function createTrail(dynamo: Dynamo): Trail {
  return {
    of: (noun, id, page) => changesOf(dynamo, { noun, id }, page),
    across: (range, page) => readFrom(page.cursor, () => changesAcross(dynamo, range, page)),
  };
}

async function changesOf(dynamo: Dynamo, { noun, id }: { noun: string; id: string }, page: PageQuery): Promise<Page<StoredChange>> {
  if (page.cursor !== undefined && !/^[1-9][0-9]{0,8}$/.test(page.cursor)) throw foreignCursor();
  const { pk, prefix } = addressOf(noun, id);
  const to = page.cursor === undefined ? `${prefix}r~` : `${prefix}r#${page.cursor.padStart(9, "0")}`;
  // One more than is shown: the oldest one's revision before.
  const items = await revisionsUpTo(dynamo, { pk, from: `${prefix}r#`, to }, page.limit + 1);
  const shown = items.slice(0, page.limit).map((item, place) => changeOf(item, items[place + 1]));
  const last = shown.at(-1)?.revision ?? 0;
  return last > 1 ? { items: shown, nextCursor: String(last - 1) } : { items: shown };
}

async function changesAcross(dynamo: Dynamo, range: AuditRange, page: PageQuery): Promise<Page<StoredChange>> {
  const changes: StoredChange[] = [];
  let after = page.cursor === undefined ? undefined : cursorOf(page.cursor, range);
  let month = after?.ak ?? auditMonth(range.to);
  const last = auditMonth(range.from);
  let lookedAt = 0;
  for (let months = 0; months < MONTHS_MAX && month >= last && changes.length < page.limit; ) {
    const limit = range.actor === undefined ? page.limit - changes.length : ACTORS_READ_AT_ONCE;
    const { Items = [], LastEvaluatedKey, ScannedCount = 0 } = await queryMonth(dynamo, { range, month, after }, limit);
    const found = await changesAt(dynamo, Items.map(plainKey), { actor: range.actor, most: page.limit - changes.length });
    changes.push(...found.changes);
    lookedAt += ScannedCount;
    after = found.goOnAfter ?? (LastEvaluatedKey && plainKey(LastEvaluatedKey));
    if (after === undefined) {
      month = monthBefore(month);
      months += 1;
    }
    if (lookedAt >= LOOKED_AT_MAX) break;
  }
  // Where there is no place to go on from, the month's end is one: above every instant that it can hold.
  const next = after ?? (month >= last ? { ak: month, as: "~", pk: "~", sk: "~" } : undefined);
  return { items: changes, ...(next === undefined ? {} : { nextCursor: Buffer.from(JSON.stringify(next)).toString("base64url") }) };
}

type Wanted = { readonly actor: string | undefined; readonly most: number };

/** The changes at these places that an actor made, or all of them; with the last one's place if not all that were found are told. */
async function changesAt(
  dynamo: Dynamo,
  keys: readonly Cursor[],
  { actor, most }: Wanted,
): Promise<{ changes: StoredChange[]; goOnAfter?: Cursor }> {
  const read = await Promise.all(keys.map(async (key) => ({ key, change: await changeAt(dynamo, key) })));
  const wanted = actor === undefined ? read : read.filter(({ change }) => isMadeBy(change, actor));
  const changes = wanted.slice(0, most).map(({ change }) => change);
  const goOnAfter = wanted.length > most ? wanted[most - 1]?.key : undefined;
  return goOnAfter === undefined ? { changes } : { changes, goOnAfter };
}

type Asked = { readonly range: AuditRange; readonly month: string; readonly after: Cursor | undefined };

async function queryMonth({ lean, tablePrefix }: Dynamo, { range, month, after }: Asked, limit: number): Promise<Found> {
  const [, index] = CONTROL.indexes;
  // A cursor is a place in the order, not an item that must exist: below it begins the next page.
  const isWithin = after !== undefined && after.as <= range.to;
  const to = isWithin ? after.as : range.to;
  // "The last 30 days" move on from page to page: then what was the next page may have gone by.
  if (to < range.from) return {};
  const query = {
    TableName: tableName(tablePrefix, CONTROL),
    IndexName: index.name,
    KeyConditionExpression: "ak = :month AND #as BETWEEN :from AND :to",
    ExpressionAttributeNames: { "#as": "as" },
    ExpressionAttributeValues: {
      ":month": { S: month },
      ":from": { S: range.from },
      ":to": { S: to },
      ...(range.noun === undefined ? {} : { ":noun": { S: `${range.noun}#` } }),
    },
    ...(range.noun === undefined ? {} : { FilterExpression: "begins_with(pk, :noun)" }),
    ...(isWithin && after.pk !== "~" ? { ExclusiveStartKey: itemKey(after) } : {}),
    ScanIndexForward: false,
    Limit: limit,
  };
  try {
    return await lean.call<Found>("Query", query, CONTROL_TIMEOUT_MS);
  } catch (cause) {
    if (!(cause instanceof Error && cause.message.includes("specified index"))) throw cause;
    throw new Failure("unsupported", "This installation's table is older than its trail across nouns: ask by noun and id.", { cause });
  }
}

async function changeAt(dynamo: Dynamo, { pk, sk }: Cursor): Promise<StoredChange> {
  const from = sk.replace(/[0-9]+$/, "");
  const [item, before] = await revisionsUpTo(dynamo, { pk, from, to: sk }, 2);
  if (item === undefined || item["sk"]?.S !== sk) throw new Error(`the index knows of ${pk} ${sk}, and the table does not`);
  return changeOf(item, before);
}

/** Newest first, from `to` downwards. */
async function revisionsUpTo(
  { lean, tablePrefix }: Dynamo,
  span: { pk: string; from: string; to: string },
  limit: number,
): Promise<readonly WireItem[]> {
  const query = {
    TableName: tableName(tablePrefix, CONTROL),
    KeyConditionExpression: "pk = :pk AND sk BETWEEN :from AND :to",
    ExpressionAttributeValues: { ":pk": { S: span.pk }, ":from": { S: span.from }, ":to": { S: span.to } },
    ConsistentRead: true,
    ScanIndexForward: false,
    Limit: limit,
  };
  const { Items = [] } = await lean.call<Found>("Query", query, CONTROL_TIMEOUT_MS);
  return Items;
}

function changeOf(item: WireItem, before: WireItem | undefined): StoredChange {
  const person = item["pn"]?.S;
  return {
    ...nameOf(item),
    revision: Number(item["n"]?.N),
    by: item["by"]?.S ?? "",
    ...(person === undefined ? {} : { person }),
    why: item["why"]?.S ?? "",
    at: item["at"]?.S ?? "",
    before: bodyOf(before),
    after: bodyOf(item),
  };
}

function bodyOf(item: WireItem | undefined): unknown {
  const body = item?.["body"]?.S;
  return body === undefined ? undefined : JSON.parse(body);
}

/** `version#minilm` at `000000002#r#…` is the version `minilm@2`; every other noun has a partition for each id. */
function nameOf(item: WireItem): { noun: string; id: string } {
  const [noun = "", ...rest] = (item["pk"]?.S ?? "").split("#");
  const number = REVISION.exec(item["sk"]?.S ?? "")?.[1];
  return { noun, id: rest.join("#") + (number === undefined ? "" : `@${Number(number)}`) };
}

function addressOf(noun: string, id: string): { pk: string; prefix: string } {
  const [, model, number] = (noun === "version" && /^(.+)@([0-9]{1,9})$/.exec(id)) || [];
  return model === undefined || number === undefined
    ? { pk: `${noun}#${id}`, prefix: "" }
    : { pk: `${noun}#${model}`, prefix: `${number.padStart(9, "0")}#` };
}

/** `audit#2026-01` comes after `audit#2025-12`. */
function monthBefore(month: string): string {
  const [year = 0, number = 0] = month.replace("audit#", "").split("-").map(Number);
  return number > 1 ? `audit#${year}-${String(number - 1).padStart(2, "0")}` : `audit#${year - 1}-12`;
}

function plainKey(key: WireItem): Cursor {
  const [ak, as, pk, sk] = ["ak", "as", "pk", "sk"].map((name) => key[name]?.S ?? "") as [string, string, string, string]; // four of four
  return { ak, as, pk, sk };
}

function itemKey(cursor: Cursor): WireItem {
  return Object.fromEntries(Object.entries(cursor).map(([name, value]) => [name, { S: value }]));
}

function cursorOf(text: string, { from, to }: AuditRange): Cursor {
  try {
    const cursor = Cursor.parse(JSON.parse(Buffer.from(text, "base64url").toString()));
    if (/^audit#[0-9]{4}-[0-9]{2}$/.test(cursor.ak) && cursor.ak >= auditMonth(from) && cursor.ak <= auditMonth(to)) return cursor;
  } catch {
    // whatever it is, this list did not give it
  }
  throw foreignCursor();
}
