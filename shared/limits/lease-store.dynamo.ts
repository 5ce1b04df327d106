import { DynamoRefusal, type LeanDynamo, type WireItem, type WireValue, withLeanStore } from "../dynamo/lean-client.ts";
import { LIMITS, tableName } from "../dynamo/tables.ts";
import { type Correction, corrected } from "./correction.ts";
import { costUs, type Gcra } from "./gcra.ts";
import { lesseeNames, lesseesOf, lesseeUpdate, staleLessees } from "./lessees.ts";
import { dayOf, type Level, roomIn, tatOf } from "./level.ts";
import type { LeaseAnswer, LeaseRequest, LeaseStore } from "./limiter.ts";
import type { CreditPolicy } from "./policy.ts";

const LEASE_TIMEOUT_MS = 2_000;
const ATTEMPTS_MAX = 3;

export type LeaseStoreSettings = {
  readonly lean: LeanDynamo;
  readonly tablePrefix: string;
  /** This process, among those that lease. */
  readonly lessee: string;
};
type Settings = LeaseStoreSettings & { readonly table: string };

/** One item per policy: `tat` and `bk` (all that was ever taken back), or `d` and `used` for a day's; and who leased of late (see lessees.ts). */
export function createLeaseStore(given: LeaseStoreSettings): LeaseStore {
  const settings = { ...given, table: tableName(given.tablePrefix, LIMITS) };
  return {
    lease: (request) => withLeanStore(() => lease(settings, request)),
    correct: (correction) => withLeanStore(() => correct(settings, correction)),
    look: (policy) => withLeanStore(async () => levelOf(policy, await read(settings, policy))),
  };
}

async function lease(settings: Settings, request: LeaseRequest): Promise<LeaseAnswer> {
  const { policy, need, nowUs } = request;
  let { level } = request;
  let seen: WireItem | undefined;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    // What was seen before can only be more than there is, unless credits came back: without room by it, the item is read before it is tried.
    const granted = Math.min(request.want, roomIn(policy, level, nowUs));
    if (granted >= need) {
      const moved = await write(settings, policy, withLessee(settings, moveOf(policy, { level, granted, nowUs }), nowUs));
      if (moved !== undefined) {
        await tidyLessees(settings, policy, { item: moved, nowUs });
        return { granted, level: levelOf(policy, moved), lesseeCount: lesseesOf(moved, nowUs) };
      }
    } else if (seen !== undefined) break;
    seen = await read(settings, policy);
    level = levelOf(policy, seen);
  }
  // Nothing left, or others moved the item between every read and write: they took what there was.
  return { granted: 0, level, lesseeCount: lesseesOf(seen ?? {}, nowUs) };
}

/** One conditional write: what is set, by which values, and what must hold. */
type Update = {
  readonly set: string;
  readonly when: string;
  readonly values: Readonly<Record<string, WireValue>>;
  readonly names?: object;
};

type Move = { readonly level: Level; readonly granted: number; readonly nowUs: number };

/** DynamoDB's expressions have no max(): a TAT in the future is advanced, one in the past starts again from now, and a day begins with its first lease. */
function moveOf(policy: CreditPolicy, move: Move): Update {
  return policy.refill.kind === "rate" ? moveTat(policy.refill.gcra, move) : moveDay(policy, move);
}

function moveTat(gcra: Gcra, { level, granted, nowUs }: Move): Update {
  const cost = costUs(gcra, granted);
  if (tatOf(level) < nowUs)
    return {
      set: "SET tat = :next",
      when: "attribute_not_exists(tat) OR tat < :now",
      values: { ":next": numeral(nowUs + cost), ":now": numeral(nowUs) },
    };
  // The latest TAT that still leaves room for so many credits.
  const latest = nowUs + costUs(gcra, gcra.burst) - cost;
  return {
    set: "SET tat = tat + :cost",
    when: "tat BETWEEN :now AND :latest",
    values: { ":cost": numeral(cost), ":now": numeral(nowUs), ":latest": numeral(latest) },
  };
}

function moveDay({ quota }: CreditPolicy, { level, granted, nowUs }: Move): Update {
  const day = dayOf(nowUs);
  const values = { ":day": numeral(day), ":granted": numeral(granted) };
  if (level.kind !== "day" || level.day < day)
    return { set: "SET d = :day, used = :granted", when: "attribute_not_exists(d) OR d < :day", values };
  return {
    set: "SET used = used + :granted",
    when: "d >= :day AND used <= :most",
    values: { ...values, ":most": numeral(quota - granted) },
  };
}

function withLessee({ lessee }: Settings, { set, when, values }: Update, nowUs: number): Update {
  const { add, names, me } = lesseeUpdate(lessee, nowUs);
  return { set: `${set} ${add}`, when, names, values: { ...values, ":me": me } };
}

/**
 * Read, decide, write if nothing was taken back meanwhile: leases only advance a level, so they may come in between. Tried again only when the store has said
 * that the condition failed, which it says of nothing that it has applied.
 */
async function correct(settings: Settings, correction: Correction): Promise<boolean> {
  const { policy, nowUs } = correction;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const from = levelOf(policy, await read(settings, policy));
    const to = corrected(from, correction);
    const update = updateOf(from, to, nowUs);
    if (update === undefined || (await write(settings, policy, update)) !== undefined) return true;
  }
  return false;
}

/** Undefined if there is nothing to write. */
function updateOf(from: Level, to: Level, nowUs: number): Update | undefined {
  if (to.kind === "day" || from.kind === "day") return dayUpdateOf(from, to);
  if (to.tatUs === from.tatUs && to.backUs === from.backUs) return undefined;
  const back = { ":back": numeral(to.backUs), ":seen": numeral(from.backUs), ":now": numeral(nowUs) };
  const isSeen = from.backUs === 0 ? "(attribute_not_exists(bk) OR bk = :seen)" : "bk = :seen";
  if (from.tatUs < nowUs)
    return {
      set: "SET tat = :next, bk = :back",
      when: `(attribute_not_exists(tat) OR tat < :now) AND ${isSeen}`,
      values: { ...back, ":next": numeral(to.tatUs) },
    };
  return {
    set: "SET tat = tat + :by, bk = :back",
    when: `tat >= :now AND ${isSeen}`,
    values: { ...back, ":by": numeral(to.tatUs - from.tatUs) },
  };
}

function dayUpdateOf(from: Level, to: Level): Update | undefined {
  if (from.kind !== "day" || to.kind !== "day" || from.day !== to.day || from.used === to.used) return undefined;
  const values = { ":by": numeral(to.used - from.used), ":day": numeral(to.day), ":least": numeral(from.used - to.used) };
  return { set: "SET used = used + :by", when: "d = :day AND used >= :least", values };
}

/** The item as it is then; undefined if the condition does not hold. */
async function write(settings: Settings, { itemKey }: CreditPolicy, { set, when, values, names }: Update): Promise<WireItem | undefined> {
  const input = {
    TableName: settings.table,
    Key: { pk: { S: itemKey } },
    UpdateExpression: set,
    ConditionExpression: when,
    ...(names === undefined ? {} : { ExpressionAttributeNames: names }),
    ExpressionAttributeValues: values,
    ReturnValues: "ALL_NEW",
  };
  try {
    return (await settings.lean.call<{ Attributes?: WireItem }>("UpdateItem", input, LEASE_TIMEOUT_MS)).Attributes ?? {};
  } catch (cause) {
    if (cause instanceof DynamoRefusal && cause.isConditionFailed) return undefined;
    throw cause;
  }
}

async function read(settings: Settings, { itemKey }: CreditPolicy): Promise<WireItem> {
  const input = { TableName: settings.table, Key: { pk: { S: itemKey } }, ConsistentRead: true };
  return (await settings.lean.call<{ Item?: WireItem }>("GetItem", input, LEASE_TIMEOUT_MS)).Item ?? {};
}

function levelOf({ refill }: CreditPolicy, item: WireItem): Level {
  if (refill.kind === "rate") return { kind: "rate", tatUs: numberOf(item["tat"]), backUs: numberOf(item["bk"]) };
  return { kind: "day", day: numberOf(item["d"]), used: numberOf(item["used"]) };
}

/** A policy that comes by now and then would collect every process that ever was. The lease is had already, and the next one tidies again. */
async function tidyLessees(
  settings: Settings,
  { itemKey }: CreditPolicy,
  { item, nowUs }: { readonly item: WireItem; readonly nowUs: number },
) {
  const stale = staleLessees(item, nowUs);
  if (stale.length === 0) return;
  const update = {
    TableName: settings.table,
    Key: { pk: { S: itemKey } },
    UpdateExpression: "DELETE #window :stale",
    ExpressionAttributeNames: lesseeNames(nowUs),
    ExpressionAttributeValues: { ":stale": { SS: stale } },
  };
  await settings.lean.call("UpdateItem", update, LEASE_TIMEOUT_MS).catch(() => {});
}

function numberOf(value: WireValue | undefined): number {
  return value !== undefined && "N" in value ? Number(value.N) : 0;
}

function numeral(value: number): WireValue {
  return { N: String(value) };
}
