import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../../base/clock.ts";
import { DynamoRefusal, type LeanDynamo, type WireItem, type WireValue } from "../../dynamo/lean-client.ts";
import { storeUnavailable } from "../../dynamo/store-trouble.ts";
import { IDEMPOTENCY, tableName } from "../../dynamo/tables.ts";
import {
  ANSWER_BYTES_MAX,
  type Claim,
  type Claimed,
  IDENTITY_KEPT_MS,
  type IdempotencyStore,
  INLINE_BYTES_MAX,
  type KeptAnswer,
  type StoredAnswer,
} from "./idempotency.ts";

const CALL_TIMEOUT_MS = 3_000;
/** How long a step is repeated while the store does not say what became of it. */
const STEP_TIMEOUT_MS = 10_000;
const BACK_OFF_MS = { first: 25, most: 500 };

/** Where bodies lie that are too large for an item. */
export type KeptBodies = {
  readonly put: (key: string, bytes: Uint8Array) => Promise<void>;
  readonly get: (key: string) => Promise<Uint8Array | undefined>;
};

type StepSettings = { readonly lean: LeanDynamo; readonly tablePrefix: string; readonly clock: Clock };
export type IdempotencySettings = StepSettings & { readonly bodies: KeptBodies };

/** In the records bucket, whose lifecycle deletes what lies there after a day. */
export const KEPT_BODIES_FOLDER = "bodies";

/**
 * Attributes: `ri` the request that answers, `e` its epoch, `h` the fingerprint, `c` when it was claimed, `hd` content type and headers of its answer,
 * and of its body `b` (the bytes), `bk` (their key in S3) or neither (too large). `ttl` only tidies up what no row of the ledger leads to.
 */
export function createIdempotencyStore(settings: IdempotencySettings): IdempotencyStore {
  return {
    find: (id) => persist(settings, () => find(settings, id)),
    claim: (claim, before) => claimItem(settings, claim, before),
    keep: (claim, answer) => keep(settings, claim, answer),
    async bodyOf({ body }) {
      if (body.kind === "inline") return body.bytes;
      return body.kind === "object" ? settings.bodies.get(body.key) : undefined;
    },
    ...createIdentities(settings),
  };
}

/** What the sealer does with items; it needs no place for bodies. */
export function createIdentities(settings: StepSettings): Pick<IdempotencyStore, "dropAnswer" | "remove"> {
  return {
    async dropAnswer(claim) {
      await change(settings, claim, { UpdateExpression: "REMOVE hd, b, bk" });
    },
    remove: async ({ id, requestId }) => {
      const input = { Key: keyOf(id), ConditionExpression: "ri = :ri", ExpressionAttributeValues: { ":ri": { S: requestId } } };
      await unlessMoved(() => persist(settings, () => call(settings, "DeleteItem", input)));
    },
  };
}

async function find(settings: StepSettings, id: string): Promise<Claimed | undefined> {
  const { Item } = await call<{ Item?: WireItem }>(settings, "GetItem", { Key: keyOf(id), ConsistentRead: true });
  return Item && claimedOf(id, Item);
}

/** Each attempt has a request id of its own, so an item that names ours is ours: its acknowledgement was lost. */
async function claimItem(settings: StepSettings, claim: Claim, before: Claimed | undefined): Promise<boolean> {
  const condition =
    before === undefined
      ? { ConditionExpression: "attribute_not_exists(pk)" }
      : {
          ConditionExpression: "e = :e",
          ExpressionAttributeValues: { ":e": { N: `${before.epoch}` } },
        };
  try {
    await persist(settings, () => call(settings, "PutItem", { Item: itemOf(claim), ...condition }));
    return true;
  } catch (cause) {
    if (!isRefused(cause)) throw cause;
    const there = await persist(settings, () => find(settings, claim.id));
    return there?.requestId === claim.requestId && there.epoch === claim.epoch;
  }
}

async function keep(settings: IdempotencySettings, claim: Claim, { contentType, headers, body }: KeptAnswer): Promise<boolean> {
  const values: Record<string, WireValue> = { ":hd": { S: JSON.stringify({ contentType, headers }) } };
  if (body === undefined || body.byteLength > ANSWER_BYTES_MAX)
    return change(settings, claim, { UpdateExpression: "SET hd = :hd", values });
  if (body.byteLength <= INLINE_BYTES_MAX) values[":b"] = { B: Buffer.from(body).toString("base64") };
  else {
    const key = bodyKey(claim);
    await settings.bodies.put(key, body);
    values[":bk"] = { S: key };
  }
  const sets = Object.keys(values).map((name) => `${name.slice(1)} = ${name}`);
  return change(settings, claim, { UpdateExpression: `SET ${sets.join(", ")}`, values });
}

/** Below the tenant's name, so that what is kept of one tenant can be found together. */
function bodyKey({ id, requestId }: Claim): string {
  return `${KEPT_BODIES_FOLDER}/${id.slice(0, id.indexOf("#"))}/${requestId}`;
}

/** Changes an item that still names this request; false if it does not. Repeating it changes nothing more. */
function change(
  settings: StepSettings,
  { id, requestId }: Pick<Claim, "id" | "requestId">,
  { UpdateExpression, values = {} }: { UpdateExpression: string; values?: Record<string, WireValue> },
): Promise<boolean> {
  const ExpressionAttributeValues = { ...values, ":ri": { S: requestId } };
  const input = { Key: keyOf(id), UpdateExpression, ConditionExpression: "ri = :ri", ExpressionAttributeValues };
  return unlessMoved(() => persist(settings, () => call(settings, "UpdateItem", input)));
}

async function unlessMoved(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (cause) {
    if (isRefused(cause)) return false;
    throw cause;
  }
}

function call<T>(settings: StepSettings, operation: "GetItem" | "PutItem" | "UpdateItem" | "DeleteItem", input: object): Promise<T> {
  return settings.lean.call<T>(operation, { TableName: tableName(settings.tablePrefix, IDEMPOTENCY), ...input }, CALL_TIMEOUT_MS);
}

/** Repeats a step that may be repeated until the store has said yes or no; fails with `unavailable` when the time is over. */
async function persist<T>({ clock }: StepSettings, step: () => Promise<T>): Promise<T> {
  const deadlineMs = clock.nowMs() + STEP_TIMEOUT_MS;
  for (let failures = 0; ; failures += 1) {
    try {
      return await step();
    } catch (cause) {
      if (isRefused(cause) || (cause instanceof DynamoRefusal && cause.name === "ValidationException")) throw cause;
      if (clock.nowMs() >= deadlineMs) throw storeUnavailable(cause);
    }
    const mostMs = Math.min(BACK_OFF_MS.most, BACK_OFF_MS.first * 2 ** Math.min(failures, 10));
    await sleep(mostMs / 2 + (mostMs / 2) * Math.random());
  }
}

function isRefused(cause: unknown): boolean {
  return cause instanceof DynamoRefusal && cause.isConditionFailed;
}

function keyOf(id: string): WireItem {
  return { pk: { S: id } };
}

function itemOf({ id, requestId, epoch, fingerprint, claimedAtMs }: Claim): WireItem {
  return {
    pk: { S: id },
    ri: { S: requestId },
    e: { N: `${epoch}` },
    h: { S: fingerprint },
    c: { N: `${claimedAtMs}` },
    [IDEMPOTENCY.timeToLive]: { N: `${Math.ceil((claimedAtMs + IDENTITY_KEPT_MS) / 1000)}` },
  };
}

function claimedOf(id: string, item: WireItem): Claimed {
  const answer = storedAnswerOf(item);
  return {
    id,
    requestId: textOf(item, "ri"),
    epoch: Number(numberOf(item, "e")),
    fingerprint: textOf(item, "h"),
    claimedAtMs: Number(numberOf(item, "c")),
    ...(answer === undefined ? {} : { answer }),
  };
}

function storedAnswerOf(item: WireItem): StoredAnswer | undefined {
  const { hd, b, bk } = item;
  if (hd === undefined || !("S" in hd)) return undefined;
  const head = JSON.parse(hd.S) as Omit<StoredAnswer, "body">; // written by `keep` alone
  if (b !== undefined && "B" in b) return { ...head, body: { kind: "inline", bytes: Buffer.from(b.B, "base64") } };
  return { ...head, body: bk !== undefined && "S" in bk ? { kind: "object", key: bk.S } : { kind: "too large" } };
}

function textOf(item: WireItem, name: string): string {
  const value = item[name];
  if (value === undefined || !("S" in value)) throw new Error(`an idempotency item has no text ${name}`);
  return value.S;
}

function numberOf(item: WireItem, name: string): string {
  const value = item[name];
  if (value === undefined || !("N" in value)) throw new Error(`an idempotency item has no number ${name}`);
  return value.N;
}
