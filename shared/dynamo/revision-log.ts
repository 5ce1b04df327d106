import * as z from "zod";
import { Failure } from "../base/failure.ts";
import type { Page, PageQuery } from "../base/page.ts";
import { CONTROL_TIMEOUT_MS, type Dynamo } from "./client.ts";
import { foreignCursor, readFrom } from "./foreign-cursor.ts";
import type { WireItem } from "./lean-client.ts";
import { isConditionFailed } from "./store-trouble.ts";
import { auditKeyOf, CONTROL, tableName } from "./tables.ts";

/** Who changes something, and why: the key, and the person whose key it is. */
export type Change = { readonly by: string; readonly person?: string; readonly why: string; readonly atMs: number };

export type Revision<T> = {
  readonly revision: number;
  readonly body: T;
  readonly by: string;
  readonly person?: string;
  readonly why: string;
  /** ISO 8601, UTC. */
  readonly at: string;
};

export type Noun<T> = {
  readonly name: string;
  readonly schema: z.ZodType<T>;
  /** Where an id's revisions lie; absent, each id has a partition of its own. */
  readonly addressOf?: (id: string) => RevisionAddress;
  /** The list that an id appears in, such as all keys of a tenant; taken from its first revision. */
  readonly groupOf?: (body: T) => string;
};

export type RevisionAddress = { readonly pk: string; readonly skPrefix: string };

/** A mutable noun as a log: revision n+1 is put if absent, the current one is the last, and history and audit are the revisions. */
export type RevisionLog<T> = {
  /** Puts the revision after `after` (0 for the first). Fails with `conflict` if somebody else has put it. */
  readonly append: (id: string, after: number, entry: { body: T; change: Change }) => Promise<Revision<T>>;
  /** The last revision, read consistently. */
  readonly current: (id: string) => Promise<Revision<T> | undefined>;
  /** Newest first. */
  readonly history: (id: string, page: PageQuery) => Promise<Page<Revision<T>>>;
  /** The current revisions of a group, by id. The index lags a write by moments. */
  readonly list: (group: string, page: PageQuery) => Promise<Page<Revision<T>>>;
  /** How many ids a group has. The index lags a write by moments. */
  readonly count: (group: string) => Promise<number>;
  /** The current revisions of all ids whose addresses share a partition, highest address first, read consistently. */
  readonly listPartition: (pk: string, page: PageQuery) => Promise<Page<Revision<T>>>;
};

/** Sorts above every `r#<revision>`. */
const ABOVE_REVISIONS = "r~";
/** DynamoDB takes 400 KiB, of which a revision's other fields have the rest. */
export const REVISION_BYTES_MAX = 400_000;

type Found = { readonly Items?: readonly WireItem[]; readonly LastEvaluatedKey?: WireItem; readonly Count?: number };
type Log<T> = { dynamo: Dynamo; noun: Noun<T>; table: string; addressOf: (id: string) => RevisionAddress };

export function createRevisionLog<T>(dynamo: Dynamo, noun: Noun<T>): RevisionLog<T> {
  const addressOf = noun.addressOf ?? ((id) => ({ pk: `${noun.name}#${id}`, skPrefix: "" }));
  const log: Log<T> = { dynamo, noun, table: tableName(dynamo.tablePrefix, CONTROL), addressOf };
  return {
    append: (id, after, entry) => append(log, { id, after, ...entry }),
    current: (id) => current(log, id),
    history: (id, page) => history(log, id, page),
    list: (group, page) => list(log, group, page),
    count: (group) => count(log, group),
    listPartition: (pk, page) => listPartition(log, pk, page),
  };
}

async function append<T>(log: Log<T>, entry: { id: string; after: number; body: T; change: Change }): Promise<Revision<T>> {
  const { id, after, change } = entry;
  const body = log.noun.schema.parse(entry.body);
  const { by, person, why } = change;
  const at = new Date(change.atMs).toISOString();
  assertFits(`${log.noun.name} '${id}'`, body);
  const revision = { revision: after + 1, body, by, ...(person === undefined ? {} : { person }), why, at };
  const put = { TableName: log.table, Item: itemOf(log, id, revision), ConditionExpression: "attribute_not_exists(pk)" };
  try {
    await log.dynamo.lean.call("PutItem", put, CONTROL_TIMEOUT_MS);
  } catch (cause) {
    if (!isConditionFailed(cause)) throw cause;
    // A put is repeated whose acknowledgement was lost; finding our own revision means that it went through.
    const [there] = (await history(log, id, { limit: 1, cursor: String(after + 1) })).items;
    if (there && JSON.stringify(there) === JSON.stringify(revision)) return there;
    throw new Failure(
      "conflict",
      `${log.noun.name} '${id}' was changed by somebody else (revision ${after + 1} exists). Read it and try again.`,
      { cause },
    );
  }
  return revision;
}

/** The store would refuse it, and nobody could tell from its words what is wrong with what. */
function assertFits(what: string, body: unknown) {
  const bytes = Buffer.byteLength(JSON.stringify(body));
  if (bytes <= REVISION_BYTES_MAX) return;
  throw new Failure("too_large", `${what} would take ${bytes} bytes; it may take ${REVISION_BYTES_MAX}.`);
}

/** One answer of the store. */
function query<T>(log: Log<T>, input: object): Promise<Found> {
  return log.dynamo.lean.call<Found>("Query", input, CONTROL_TIMEOUT_MS);
}

async function current<T>(log: Log<T>, id: string): Promise<Revision<T> | undefined> {
  return (await history(log, id, { limit: 1 })).items[0];
}

async function history<T>(log: Log<T>, id: string, page: PageQuery): Promise<Page<Revision<T>>> {
  const { pk, skPrefix } = log.addressOf(id);
  if (page.cursor !== undefined && !/^[1-9][0-9]{0,8}$/.test(page.cursor)) throw foreignCursor();
  const before = page.cursor === undefined ? skPrefix + ABOVE_REVISIONS : `${skPrefix}r#${padded(Number(page.cursor))}`;
  const { Items = [], LastEvaluatedKey } = await query(log, {
    TableName: log.table,
    KeyConditionExpression: "pk = :pk AND sk BETWEEN :from AND :before",
    ExpressionAttributeValues: { ":pk": { S: pk }, ":from": { S: `${skPrefix}r#` }, ":before": { S: before } },
    ConsistentRead: true,
    ScanIndexForward: false,
    Limit: page.limit,
  });
  const items = Items.map((item) => revisionOf(log, item));
  const last = items.at(-1);
  return LastEvaluatedKey && last && last.revision > 1 ? { items, nextCursor: String(last.revision - 1) } : { items };
}

async function list<T>(log: Log<T>, group: string, page: PageQuery): Promise<Page<Revision<T>>> {
  const [index] = CONTROL.indexes;
  const asked = {
    TableName: log.table,
    IndexName: index.name,
    KeyConditionExpression: "gk = :group",
    ExpressionAttributeValues: { ":group": { S: group } },
    Limit: page.limit,
    ...startAfter(group, page.cursor),
  };
  const { Items = [], LastEvaluatedKey } = await readFrom(page.cursor, () => query(log, asked));
  const revisions = await Promise.all(Items.map((item) => current(log, textOf(item, "gs"))));
  const items = revisions.filter((each) => each !== undefined);
  return LastEvaluatedKey ? { items, nextCursor: cursorOf(LastEvaluatedKey) } : { items };
}

async function count<T>(log: Log<T>, group: string): Promise<number> {
  const [index] = CONTROL.indexes;
  let sum = 0;
  let start: WireItem | undefined;
  do {
    const { Count = 0, LastEvaluatedKey }: Found = await query(log, {
      TableName: log.table,
      IndexName: index.name,
      KeyConditionExpression: "gk = :group",
      ExpressionAttributeValues: { ":group": { S: group } },
      Select: "COUNT",
      ...(start === undefined ? {} : { ExclusiveStartKey: start }),
    });
    sum += Count;
    start = LastEvaluatedKey;
  } while (start !== undefined);
  return sum;
}

async function listPartition<T>(log: Log<T>, pk: string, page: PageQuery): Promise<Page<Revision<T>>> {
  if (page.cursor !== undefined && !page.cursor.endsWith(ABOVE_REVISIONS)) throw foreignCursor();
  const newest = new Map<string, Revision<T>>();
  let start = page.cursor;
  // One extra id shows whether there is a next page, and where this one ends.
  for (let more = true; more && newest.size <= page.limit; ) {
    const { Items = [], LastEvaluatedKey } = await query(log, partitionQuery(log, pk, start));
    for (const item of Items) {
      const idPart = textOf(item, "sk").replace(/r#[0-9]+$/, "");
      if (!newest.has(idPart)) newest.set(idPart, revisionOf(log, item));
    }
    more = LastEvaluatedKey !== undefined;
    start = LastEvaluatedKey && textOf(LastEvaluatedKey, "sk");
  }
  const [ids, items] = [[...newest.keys()], [...newest.values()]];
  const nextId = ids[page.limit];
  // The cursor is just above the next id's newest revision, and below everything that this page holds.
  return nextId === undefined ? { items } : { items: items.slice(0, page.limit), nextCursor: nextId + ABOVE_REVISIONS };
}

function partitionQuery<T>(log: Log<T>, pk: string, before: string | undefined): object {
  return {
    TableName: log.table,
    KeyConditionExpression: before === undefined ? "pk = :pk" : "pk = :pk AND sk < :before",
    ExpressionAttributeValues: { ":pk": { S: pk }, ...(before === undefined ? {} : { ":before": { S: before } }) },
    ConsistentRead: true,
    ScanIndexForward: false,
  };
}

function itemOf<T>(log: Log<T>, id: string, revision: Revision<T>): WireItem {
  const { pk, skPrefix } = log.addressOf(id);
  const group = revision.revision === 1 ? log.noun.groupOf?.(revision.body) : undefined;
  return {
    pk: { S: pk },
    sk: { S: `${skPrefix}r#${padded(revision.revision)}` },
    n: { N: String(revision.revision) },
    at: { S: revision.at },
    by: { S: revision.by },
    ...(revision.person === undefined ? {} : { pn: { S: revision.person } }),
    why: { S: revision.why },
    body: { S: JSON.stringify(revision.body) },
    // The trail across nouns is written with what it tells of: no second write that could be lost.
    ...auditKeyOf(revision.at, pk),
    ...(group === undefined ? {} : { gk: { S: group }, gs: { S: id } }),
  };
}

function revisionOf<T>(log: Log<T>, item: WireItem): Revision<T> {
  return {
    revision: Number(item["n"]?.N),
    body: log.noun.schema.parse(JSON.parse(textOf(item, "body"))),
    by: textOf(item, "by"),
    ...(item["pn"]?.S === undefined ? {} : { person: item["pn"].S }),
    why: textOf(item, "why"),
    at: textOf(item, "at"),
  };
}

function padded(revision: number): string {
  return String(revision).padStart(9, "0");
}

function textOf(item: WireItem, name: string): string {
  const text = item[name]?.S;
  if (text === undefined) throw new Error(`an item of the control table has no ${name}`);
  return text;
}

const Cursor = z.record(z.enum(["pk", "sk", "gk", "gs"]), z.object({ S: z.string() }));

function cursorOf(key: WireItem): string {
  return Buffer.from(JSON.stringify(key)).toString("base64url");
}

function startAfter(group: string, cursor: string | undefined): { ExclusiveStartKey?: WireItem } {
  if (cursor === undefined) return {};
  const key = keyOf(cursor);
  // DynamoDB takes a key of another group for our mistake; it is the caller's.
  if (key?.gk.S !== group) throw foreignCursor();
  return { ExclusiveStartKey: key };
}

function keyOf(cursor: string) {
  try {
    return Cursor.parse(JSON.parse(Buffer.from(cursor, "base64url").toString()));
  } catch {
    return undefined; // whatever it is, this list did not give it
  }
}
