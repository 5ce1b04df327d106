import { DynamoRefusal, type LeanDynamo, type WireItem, withLeanStore } from "../dynamo/lean-client.ts";
import { LIMITS, tableName } from "../dynamo/tables.ts";
import { costUs, type Gcra, roomAt } from "./gcra.ts";
import type { Lease, LeaseRequest, LeaseStore } from "./limiter.ts";

const LEASE_TIMEOUT_MS = 2_000;
const ATTEMPTS_MAX = 3;
/** Processes are counted over this window and the one before. */
const LESSEE_WINDOW_US = 10_000_000;

type Settings = {
  readonly lean: LeanDynamo;
  readonly tablePrefix: string;
  /** This process, among those that lease. */
  readonly lessee: string;
};
type Answer = { Attributes?: WireItem };

/** One item per policy: `tat`, and who leased of late as string sets `w<window modulo 3>` of `<window>:<process>` (two are kept). */
export function createLeaseStore(settings: Settings): LeaseStore {
  const table = tableName(settings.tablePrefix, LIMITS);
  return { lease: (request) => withLeanStore(() => lease({ ...settings, table }, request)) };
}

async function lease(settings: Settings & { table: string }, request: LeaseRequest): Promise<Lease> {
  let want = request.want;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const moved = await moveEitherWay(settings, { ...request, want });
    if (moved !== undefined) {
      await tidyLessees(settings, request, moved);
      return { granted: want, tatUs: tatOf(moved), lesseeCount: lesseesOf(moved, request.nowUs) };
    }
    const item = await read(settings, request.policyKey);
    const room = roomAt(request.policy, tatOf(item), request.nowUs);
    if (room === 0) return { granted: 0, tatUs: tatOf(item), lesseeCount: lesseesOf(item, request.nowUs) };
    want = Math.min(want, room);
  }
  // Others moved the item between every read and write: they took what there was.
  const item = await read(settings, request.policyKey);
  return { granted: 0, tatUs: Math.max(tatOf(item), request.nowUs + costUs(request.policy, request.policy.burst)), lesseeCount: 1 };
}

/** The likelier way first: a policy whose TAT was in the past when last seen has most likely rested since. */
async function moveEitherWay(settings: Settings & { table: string }, request: LeaseRequest): Promise<WireItem | undefined> {
  const [first, second] = request.lastTatUs >= request.nowUs ? (["advance", "restart"] as const) : (["restart", "advance"] as const);
  return (await move(settings, request, first)) ?? (await move(settings, request, second));
}

/** DynamoDB's expressions have no max(): a TAT in the future is advanced, one in the past starts again from now. */
async function move(
  settings: Settings & { table: string },
  request: LeaseRequest,
  from: "advance" | "restart",
): Promise<WireItem | undefined> {
  const { policy, want, nowUs } = request;
  const values = {
    ":now": nowUs,
    ":next": nowUs + costUs(policy, want),
    ":cost": costUs(policy, want),
    ":latest": latestFor(policy, want, nowUs),
  };
  const set = from === "advance" ? "SET tat = tat + :cost" : "SET tat = :next";
  const when = from === "advance" ? "tat >= :now AND tat <= :latest" : "attribute_not_exists(tat) OR tat < :now";
  const used = Object.entries(values).filter(([name]) => set.includes(name) || when.includes(name));
  const window = windowOf(nowUs);
  try {
    const answer = await settings.lean.call<Answer>(
      "UpdateItem",
      {
        TableName: settings.table,
        Key: { pk: { S: request.policyKey } },
        UpdateExpression: `${set} ADD #window :me REMOVE #old`,
        ConditionExpression: when,
        ExpressionAttributeNames: { "#window": `w${window % 3}`, "#old": `w${(window + 1) % 3}` },
        ExpressionAttributeValues: {
          ...Object.fromEntries(used.map(([name, value]) => [name, { N: String(value) }])),
          ":me": { SS: [`${window}:${settings.lessee}`] },
        },
        ReturnValues: "ALL_NEW",
      },
      LEASE_TIMEOUT_MS,
    );
    return answer.Attributes;
  } catch (cause) {
    if (cause instanceof DynamoRefusal && cause.isConditionFailed) return undefined;
    throw cause;
  }
}

/** The latest TAT that still leaves room for this many credits. */
function latestFor(policy: Gcra, want: number, nowUs: number): number {
  return nowUs + costUs(policy, policy.burst) - costUs(policy, want);
}

async function read(settings: Settings & { table: string }, policyKey: string): Promise<WireItem> {
  const input = { TableName: settings.table, Key: { pk: { S: policyKey } }, ConsistentRead: true };
  return (await settings.lean.call<{ Item?: WireItem }>("GetItem", input, LEASE_TIMEOUT_MS)).Item ?? {};
}

function tatOf(item: WireItem): number {
  const tat = item["tat"];
  return tat !== undefined && "N" in tat ? Number(tat.N) : 0;
}

function lesseesOf(item: WireItem, nowUs: number): number {
  const window = windowOf(nowUs);
  const recent = [...namesOf(item, window), ...namesOf(item, window - 1)];
  return Math.max(1, new Set(recent.map((name) => name.slice(name.indexOf(":")))).size);
}

/**
 * A policy that rested for a window finds the set that it writes to still full of names from three windows ago.
 * They do not count, but without this a tenant that comes by now and then would collect every process that ever was.
 */
async function tidyLessees(settings: Settings & { table: string }, request: LeaseRequest, item: WireItem) {
  const window = windowOf(request.nowUs);
  const stale = setOf(item, window).filter((name) => !name.startsWith(`${window}:`));
  if (stale.length === 0) return;
  const update = {
    TableName: settings.table,
    Key: { pk: { S: request.policyKey } },
    UpdateExpression: "DELETE #window :stale",
    ExpressionAttributeNames: { "#window": `w${window % 3}` },
    ExpressionAttributeValues: { ":stale": { SS: stale } },
  };
  // The lease is had already, and the next one tidies again.
  await settings.lean.call("UpdateItem", update, LEASE_TIMEOUT_MS).catch(() => {});
}

function namesOf(item: WireItem, window: number): string[] {
  return setOf(item, window).filter((name) => name.startsWith(`${window}:`));
}

/** The set where a window's names are, among others of long ago. */
function setOf(item: WireItem, window: number): readonly string[] {
  const set = item[`w${window % 3}`];
  return set !== undefined && "SS" in set ? set.SS : [];
}

function windowOf(nowUs: number): number {
  return Math.floor(nowUs / LESSEE_WINDOW_US);
}
