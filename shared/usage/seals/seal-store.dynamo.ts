import { sha256Hex } from "../../base/hash.ts";
import { DynamoRefusal, type LeanDynamo, type WireItem, type WireValue, withLeanStore } from "../../dynamo/lean-client.ts";
import { endOfPrefix, queryAll, queryPages } from "../../dynamo/query-pages.ts";
import { SEALS, tableName } from "../../dynamo/tables.ts";
import { textOf } from "../ledger/wire-row.ts";
import type { TenantSeal } from "./seal.ts";
import {
  type Block,
  type BlockState,
  type BucketState,
  type Closing,
  groupOf,
  type HeadAt,
  type SealHead,
  type SealStore,
} from "./seal-store.ts";

/** Characters, all ASCII; DynamoDB's items have 400 KB at most. */
const PAGE_CHARACTERS_MAX = 300_000;
const CALL_TIMEOUT_MS = 5_000;
/** Each failure means that another sealer has closed one of the buckets at least. */
const CLOSE_ATTEMPTS_MAX = 20;

/**
 * ```
 * pk  h#2026-11-23T19#0000      the hour and the group of shards
 * sk  head#25                   of a minute: r1.<shard> r2.<shard> the seals' heads, a.<shard> when it was read again
 *     page#25#00003#000#<hash>  a piece of a seal's tenants, named by its content
 * ```
 * A page is never overwritten by another's, since its name is its content; a head names its pages and is put last. So of two sealers that read
 * differing rows one has its head in the item, and the pages of the other are found by nobody.
 */
type Source = { readonly lean: LeanDynamo; readonly tablePrefix: string };
type StoredHead = { n: number; at: number; d?: string; p?: readonly string[] };

export function createSealStore(source: Source): SealStore {
  return {
    readBlock: (block) => withLeanStore(() => readBlock(source, block)),
    close: (closings) => withLeanStore(() => close(source, closings)),
    dropSuperseded: (block, state) => withLeanStore(() => dropSuperseded(source, block, state)),
    bodies: (block, minute, heads) => bodies(source, { block, minute, heads }),
  };
}

async function readBlock({ lean, tablePrefix }: Source, block: Block): Promise<BlockState> {
  const table = tableName(tablePrefix, SEALS);
  const items = await queryAll(lean, { table, pk: blockKey(block), between: ["head#", endOfPrefix("head#")] });
  return new Map(items.map((item) => [`${block.hour}:${textOf(item, "sk").slice(-2)}`, statesOf(item)]));
}

async function close(source: Source, closings: readonly Closing[]): Promise<void> {
  const [first] = closings;
  if (first === undefined) return;
  const { pk, sk } = headKey(first.minute, groupOf(first.shard));
  const slots = await Promise.all(closings.map((closing) => slotsOf(source, pk, closing)));
  let open = slots;
  for (let attempt = 0; open.length > 0; attempt += 1) {
    if (attempt >= CLOSE_ATTEMPTS_MAX) throw new Error(`${pk} ${sk} changed ${CLOSE_ATTEMPTS_MAX} times while it was being closed`);
    if (await setAllIfAbsent(source, { pk, sk }, Object.assign({}, ...open))) return;
    const there = await read(source, { pk, sk });
    open = open.filter((slot) => !Object.keys(slot).some((name) => there[name] !== undefined));
  }
}

/** A bucket's attributes in the item of its minute; its pages are written by then. */
async function slotsOf(source: Source, pk: string, closing: Closing): Promise<WireItem> {
  const { minute, shard, seal, auditedAtMs } = closing;
  const slots: Record<string, WireValue> = {};
  if (auditedAtMs !== undefined) slots[`a.${shard}`] = { N: `${auditedAtMs}` };
  if (seal !== undefined) {
    const { rowCount: n, digest: d, sealedAtMs: at, tenants } = seal;
    const p = tenants.length === 0 ? [] : await putPages(source, pk, { minute, shard, text: JSON.stringify(tenants) });
    const head: StoredHead = n === 0 ? { n, at } : { n, at, d, p };
    slots[`r${seal.revision}.${shard}`] = { S: JSON.stringify(head) };
  }
  return slots;
}

async function putPages(source: Source, pk: string, body: { minute: string; shard: number; text: string }): Promise<string[]> {
  const hashes: string[] = [];
  for (let start = 0; start < body.text.length; start += PAGE_CHARACTERS_MAX) {
    const text = body.text.slice(start, start + PAGE_CHARACTERS_MAX);
    const hash = sha256Hex(text);
    const sk = pageKey(body, hashes.length, hash);
    const Item = { pk: { S: pk }, sk: { S: sk }, t: { S: text } };
    await source.lean.call("PutItem", { TableName: tableName(source.tablePrefix, SEALS), Item }, CALL_TIMEOUT_MS);
    hashes.push(hash);
  }
  return hashes;
}

async function dropSuperseded({ lean, tablePrefix }: Source, block: Block, state: BlockState): Promise<void> {
  for (const [minute, shards] of state) {
    for (const [shard, { head, superseded, auditedAtMs }] of shards) {
      if (superseded === undefined || auditedAtMs === undefined) continue;
      const keysOf = ({ pages }: SealHead) => pages.map((hash, place) => pageKey({ minute, shard }, place, hash));
      const kept = new Set(keysOf(head));
      for (const sk of keysOf(superseded).filter((each) => !kept.has(each))) {
        const Key = { pk: { S: blockKey(block) }, sk: { S: sk } };
        await lean.call("DeleteItem", { TableName: tableName(tablePrefix, SEALS), Key }, CALL_TIMEOUT_MS);
      }
    }
  }
}

type Key = { readonly pk: string; readonly sk: string };

/** All or none; false if one of them is there. */
async function setAllIfAbsent({ lean, tablePrefix }: Source, key: Key, values: WireItem): Promise<boolean> {
  const names = Object.keys(values);
  const input = {
    TableName: tableName(tablePrefix, SEALS),
    Key: { pk: { S: key.pk }, sk: { S: key.sk } },
    UpdateExpression: `SET ${names.map((_, place) => `#n${place} = :v${place}`).join(", ")}`,
    ConditionExpression: names.map((_, place) => `attribute_not_exists(#n${place})`).join(" AND "),
    ExpressionAttributeNames: Object.fromEntries(names.map((name, place) => [`#n${place}`, name])),
    ExpressionAttributeValues: Object.fromEntries(Object.values(values).map((value, place) => [`:v${place}`, value])),
  };
  try {
    await lean.call("UpdateItem", input, CALL_TIMEOUT_MS);
    return true;
  } catch (cause) {
    if (cause instanceof DynamoRefusal && cause.isConditionFailed) return false;
    throw cause;
  }
}

async function read({ lean, tablePrefix }: Source, { pk, sk }: Key): Promise<WireItem> {
  const input = { TableName: tableName(tablePrefix, SEALS), Key: { pk: { S: pk }, sk: { S: sk } }, ConsistentRead: true };
  return (await lean.call<{ Item?: WireItem }>("GetItem", input, CALL_TIMEOUT_MS)).Item ?? {};
}

type Wanted = { readonly block: Block; readonly minute: string | undefined; readonly heads: readonly HeadAt[] };

async function* bodies({ lean, tablePrefix }: Source, { block, minute, heads }: Wanted): AsyncGenerator<readonly TenantSeal[]> {
  const prefix = minute === undefined ? "page#" : `page#${minute.slice(-2)}#`;
  const pages = queryPages(lean, {
    table: tableName(tablePrefix, SEALS),
    pk: blockKey(block),
    between: [prefix, endOfPrefix(prefix)],
  });
  const walk = walkOf(pages);
  for (const { minute: at, shard, head } of heads) {
    const found = await walk.collect(pagePrefix(at, shard));
    yield JSON.parse(head.pages.map((hash) => checkedPage(found, hash, `${at}#${shard}`)).join("")) as TenantSeal[]; // what slotsOf wrote: the hashes say so
  }
}

/** Walks through pages in key order, a page of the store at a time. */
function walkOf(pages: AsyncIterator<readonly WireItem[]>) {
  let held: readonly WireItem[] = [];
  let place = 0;
  const peek = async (): Promise<WireItem | undefined> => {
    while (place >= held.length) {
      const next = await pages.next();
      if (next.done) return undefined;
      [held, place] = [next.value, 0];
    }
    return held[place];
  };
  return {
    /** Texts by hash of the pages that begin so; passes over what comes before them. */
    async collect(prefix: string): Promise<ReadonlyMap<string, string>> {
      const found = new Map<string, string>();
      for (let item = await peek(); item !== undefined; item = await peek()) {
        const sk = textOf(item, "sk");
        if (sk > prefix && !sk.startsWith(prefix)) break;
        if (sk.startsWith(prefix)) found.set(sk.slice(sk.lastIndexOf("#") + 1), textOf(item, "t"));
        place += 1;
      }
      return found;
    },
  };
}

function checkedPage(found: ReadonlyMap<string, string>, hash: string, bucket: string): string {
  const text = found.get(hash);
  if (text === undefined) throw new Error(`the seal of ${bucket} lacks its page ${hash}`);
  if (sha256Hex(text) !== hash) throw new Error(`a page of the seal of ${bucket} is not what its name says: ${hash}`);
  return text;
}

function statesOf(item: WireItem): ReadonlyMap<number, BucketState> {
  const states = new Map<number, BucketState>();
  for (const name of Object.keys(item).filter((each) => each.startsWith("r1."))) {
    const shard = Number(name.slice(3));
    const first = headOf(item, 1, shard);
    const second = headOf(item, 2, shard);
    const audited = item[`a.${shard}`];
    const auditedAtMs = audited !== undefined && "N" in audited ? Number(audited.N) : undefined;
    if (first !== undefined) states.set(shard, { head: second ?? first, superseded: second && first, auditedAtMs });
  }
  return states;
}

const NO_ROWS_DIGEST = sha256Hex("");

function headOf(item: WireItem, revision: number, shard: number): SealHead | undefined {
  const name = `r${revision}.${shard}`;
  if (item[name] === undefined) return undefined;
  const { n, at, d, p } = JSON.parse(textOf(item, name)) as StoredHead; // what slotsOf wrote
  return { revision, rowCount: n, digest: d ?? NO_ROWS_DIGEST, sealedAtMs: at, pages: p ?? [] };
}

function blockKey({ hour, group }: Block): string {
  return `h#${hour}#${String(group).padStart(4, "0")}`;
}

function headKey(minute: string, group: number): Key {
  return { pk: blockKey({ hour: minute.slice(0, 13), group }), sk: `head#${minute.slice(-2)}` };
}

function pageKey({ minute, shard }: { readonly minute: string; readonly shard: number }, place: number, hash: string): string {
  return `${pagePrefix(minute, shard)}${String(place).padStart(3, "0")}#${hash}`;
}

function pagePrefix(minute: string, shard: number): string {
  return `page#${minute.slice(-2)}#${String(shard).padStart(5, "0")}#`;
}
