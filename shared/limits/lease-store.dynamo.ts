import { DynamoRefusal, type LeanDynamo, type Operation, type WireItem, type WireValue, withLeanStore } from "../dynamo/lean-client.ts";
import { clockIsOff, isSoundClock } from "../dynamo/sound-clock.ts";
import { LIMITS, tableName } from "../dynamo/tables.ts";
import { type Correction, corrected } from "./correction.ts";
import { costUs } from "./gcra.ts";
import { lesseeNames, lesseesOf, lesseeUpdate, staleLessees } from "./lessees.ts";
import {
  believed,
  dayEndMs,
  dayOf,
  forgottenUs,
  itemKeyAt,
  type Level,
  latestWriteUs,
  roomIn,
  tatOf,
  termsAt,
  wholeLevel,
  writtenAtOf,
} from "./level.ts";
import type { LeaseAnswer, LeaseRequest, LeaseStore } from "./limiter.ts";
import type { CreditPolicy } from "./policy.ts";
import { rateOf, type Terms, textOfRate } from "./terms.ts";

const LEASE_TIMEOUT_MS = 2_000;
const ATTEMPTS_MAX = 3;
/** After its end nobody asks for a day, and reports may still be curious. */
const DAY_KEPT_SECONDS = 2 * 86_400;

export type LeaseStoreSettings = {
  readonly lean: LeanDynamo;
  readonly tablePrefix: string;
  /** This process, among those that lease. */
  readonly lessee: string;
};
type Settings = LeaseStoreSettings & { readonly table: string };

/**
 * One item per policy: `tat`, `pl` and `pr` (the rate that it counts by, since which revision), `bk` (all that was ever taken back) and `wa` (when it was last
 * written), or one per day with `used`; and who leased of late (see lessees.ts). Each answer tells how far this clock is from the store's, and a clock that is off
 * gets no credits and changes nothing that others rely on.
 */
export function createLeaseStore(given: LeaseStoreSettings): LeaseStore {
  const settings = { ...given, table: tableName(given.tablePrefix, LIMITS) };
  return {
    lease: (request) => withLeanStore(() => lease(settings, request)),
    correct: (correction) => withLeanStore(() => correct(settings, correction)),
    look: (policy, nowUs) =>
      withLeanStore(async () => believed(policy, levelOf(policy, await read(settings, itemKeyAt(policy, nowUs)), nowUs), nowUs)),
  };
}

async function lease(settings: Settings, request: LeaseRequest): Promise<LeaseAnswer> {
  const { policy, need, nowUs } = request;
  const at = { policy, nowUs };
  let seen: WireItem | undefined;
  let level = request.level ?? wholeLevel(policy);
  // A clock that was off is compared again before anything is written by it.
  if (request.level === undefined || !isSoundClock(settings.lean)) ({ item: seen, level } = await readSound(settings, at));
  // In a crowd whoever comes too late waits for another turn, or all would run after the same credits.
  const attemptsMax = request.level === undefined ? 1 : ATTEMPTS_MAX;
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    // What was seen before can only be more than there is, unless credits came back: without room by it, the item is read before it is tried.
    const granted = Math.min(request.want, roomIn(policy, level, nowUs));
    if (granted >= need) {
      const others = lesseesOf(seen ?? {}, nowUs);
      const moved = await write(settings, at, withLessee(settings, moveOf(policy, { level, granted, nowUs }), { nowUs, others }));
      if (moved !== undefined) {
        await tidyLessees(settings, at, moved);
        return { granted, level: levelOf(policy, moved, nowUs), lesseeCount: lesseesOf(moved, nowUs) };
      }
    } else if (seen !== undefined) break;
    ({ item: seen, level } = await readSound(settings, at));
  }
  // Nothing left, or others moved the item between every read and write: they took what there was.
  return { granted: 0, level, lesseeCount: lesseesOf(seen ?? {}, nowUs) };
}

/** Which item, by whose time. */
type At = { readonly policy: CreditPolicy; readonly nowUs: number };

/**
 * An item that a clock has written which is off is put right first, or it would be as far ahead at the next look; and one that counts by an earlier rate is
 * converted: one write for each change of a policy.
 */
async function readSound(settings: Settings, at: At): Promise<{ readonly item: WireItem; readonly level: Level }> {
  const { policy, nowUs } = at;
  const item = await read(settings, itemKeyAt(policy, nowUs));
  const stored = levelOf(policy, item, nowUs);
  const level = believed(policy, stored, nowUs);
  // Where it has changed meanwhile another gateway has done the same, and its own is as good, or has leased by the earlier rate, which the next write notices.
  if (level !== stored) await write(settings, at, rightingOf(stored, level));
  return { item, level };
}

/** One conditional write: what is set, by which values, and what must hold. */
type Update = {
  readonly set: string;
  readonly when: string;
  readonly values: Readonly<Record<string, WireValue>>;
  readonly names?: object;
};

type Move = { readonly level: Level; readonly granted: number; readonly nowUs: number };

function rightingOf(stored: Level, level: Level): Update {
  const values = { ":next": numeral(tatOf(level)), ":at": numeral(writtenAtOf(level)), ":was": numeral(tatOf(stored)) };
  const terms = level.kind === "rate" ? level.terms : undefined;
  const named = terms === undefined ? {} : termValues(terms);
  const set = `SET tat = :next, wa = :at${terms === undefined ? "" : ", pl = :pl, pr = :pr"}`;
  return { set, when: "tat = :was", values: { ...values, ...named } };
}

function termValues({ gcra, revision }: Terms) {
  return { ":pl": { S: textOfRate(gcra) }, ":pr": numeral(revision) };
}

/** DynamoDB's expressions have no max(): a TAT in the future is advanced, and one in the past starts again from now. */
function moveOf(policy: CreditPolicy, move: Move): Update {
  const terms = termsAt(policy, move.level, move.nowUs);
  return terms === undefined ? moveDay(policy, move) : moveTat(terms, move);
}

function moveTat(terms: Terms, { level, granted, nowUs }: Move): Update {
  const { gcra } = terms;
  const cost = costUs(gcra, granted);
  const values = { ":now": numeral(nowUs), ...termValues(terms) };
  if (tatOf(level) < nowUs)
    return {
      set: "SET tat = :next, wa = :now, pl = :pl, pr = :pr",
      when: IS_WHOLE,
      values: { ...values, ":next": numeral(nowUs + cost), ":forgotten": numeral(forgottenUs(nowUs)) },
    };
  // The latest TAT that still leaves room for so many credits.
  const latest = nowUs + costUs(gcra, gcra.burst) - cost;
  return {
    set: "SET tat = tat + :cost, wa = :now, pl = if_not_exists(pl, :pl), pr = if_not_exists(pr, :pr)",
    when: `tat BETWEEN :now AND :latest AND (attribute_not_exists(pl) OR pl = :pl)`,
    values: { ...values, ":cost": numeral(cost), ":latest": numeral(latest) },
  };
}

/**
 * Nobody restarts by earlier terms what has just become whole by later ones. Without brackets, since AND binds first: the embedded engine's parser takes a time that
 * is exponential in their depth, and took 4 ms for each lease with three of them; so it takes 0.1.
 */
const IS_WHOLE = "attribute_not_exists(tat) OR tat < :forgotten OR tat < :now AND attribute_not_exists(pr) OR tat < :now AND pr <= :pr";

/** A day's item is made by its first lease, and tidied away when nobody can ask for it any more. */
function moveDay({ quota }: CreditPolicy, { granted, nowUs }: Move): Update {
  return {
    set: "SET used = if_not_exists(used, :none) + :granted, #ttl = :ttl",
    when: "attribute_not_exists(used) OR used <= :most",
    names: { "#ttl": LIMITS.timeToLive },
    values: {
      ...{ ":none": numeral(0), ":granted": numeral(granted), ":most": numeral(quota - granted) },
      ":ttl": numeral(dayEndMs(nowUs / 1_000) / 1_000 + DAY_KEPT_SECONDS),
    },
  };
}

function withLessee({ lessee }: Settings, update: Update, known: { readonly nowUs: number; readonly others: number }): Update {
  const { add, names, values } = lesseeUpdate(lessee, known);
  return { set: `${update.set} ${add}`, when: update.when, names: { ...update.names, ...names }, values: { ...update.values, ...values } };
}

/**
 * Read, decide, write if nothing was taken back meanwhile: leases only advance a level, so they may come in between. Tried again only when the store has said
 * that the condition failed, which it says of nothing that it has applied.
 */
async function correct(settings: Settings, correction: Correction): Promise<boolean> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const { level: from } = await readSound(settings, correction);
    const update = updateOf(from, corrected(from, correction), correction.nowUs);
    if (update === undefined || (await write(settings, correction, update)) !== undefined) return true;
  }
  return false;
}

/** Undefined if there is nothing to write. */
function updateOf(from: Level, to: Level, nowUs: number): Update | undefined {
  if (to.kind === "day" || from.kind === "day") return dayUpdateOf(from, to);
  if (to.tatUs === from.tatUs && to.backUs === from.backUs) return undefined;
  const isSeen = from.backUs === 0 ? "(attribute_not_exists(bk) OR bk = :seen)" : "bk = :seen";
  // Not over what a clock that is off has written meanwhile, or it would look as if it were ours. A lease does no harm there: it only fits in below a burst.
  const when = `${isSeen} AND (attribute_not_exists(wa) OR wa <= :believed)`;
  const values = {
    ...{ ":back": numeral(to.backUs), ":seen": numeral(from.backUs) },
    ...{ ":now": numeral(nowUs), ":believed": numeral(latestWriteUs(nowUs)) },
    ...(to.terms === undefined ? {} : termValues(to.terms)),
  };
  if (from.tatUs < nowUs)
    return {
      set: "SET tat = :next, bk = :back, wa = :now, pl = :pl, pr = :pr",
      when: `(${IS_WHOLE}) AND ${when}`,
      values: { ...values, ":next": numeral(to.tatUs), ":forgotten": numeral(forgottenUs(nowUs)) },
    };
  return {
    set: "SET tat = tat + :by, bk = :back, wa = :now, pl = :pl, pr = :pr",
    when: `tat >= :now AND ${from.terms === undefined ? "attribute_not_exists(pl)" : "pl = :pl AND pr = :pr"} AND ${when}`,
    values: { ...values, ":by": numeral(to.tatUs - from.tatUs) },
  };
}

function dayUpdateOf(from: Level, to: Level): Update | undefined {
  if (from.kind !== "day" || to.kind !== "day" || from.used === to.used) return undefined;
  const values = { ":by": numeral(to.used - from.used), ":least": numeral(from.used - to.used) };
  return { set: "SET used = used + :by", when: "used >= :least", values };
}

/** The item as it is then; undefined if the condition does not hold. */
async function write(settings: Settings, { policy, nowUs }: At, { set, when, values, names }: Update): Promise<WireItem | undefined> {
  const input = {
    TableName: settings.table,
    Key: { pk: { S: itemKeyAt(policy, nowUs) } },
    UpdateExpression: set,
    ConditionExpression: when,
    ...(names === undefined ? {} : { ExpressionAttributeNames: names }),
    ExpressionAttributeValues: values,
    ReturnValues: "ALL_NEW",
  };
  try {
    return (await ask<{ Attributes?: WireItem }>(settings, "UpdateItem", input)).Attributes ?? {};
  } catch (cause) {
    if (cause instanceof DynamoRefusal && cause.isConditionFailed) return undefined;
    throw cause;
  }
}

async function read(settings: Settings, itemKey: string): Promise<WireItem> {
  const input = { TableName: settings.table, Key: { pk: { S: itemKey } }, ConsistentRead: true };
  return (await ask<{ Item?: WireItem }>(settings, "GetItem", input)).Item ?? {};
}

/** A clock that has jumped looks right until the store has answered: what was taken by it is not used, and others put the item right. */
async function ask<T>({ lean }: Settings, operation: Operation, input: object): Promise<T> {
  const answer = await lean.call<T>(operation, input, LEASE_TIMEOUT_MS);
  if (!isSoundClock(lean)) throw clockIsOff(lean);
  return answer;
}

function levelOf({ refill }: CreditPolicy, item: WireItem, nowUs: number): Level {
  if (refill.kind === "day") return { kind: "day", day: dayOf(nowUs), used: numberOf(item["used"]) };
  const { pl } = item;
  const terms = pl !== undefined && "S" in pl ? { terms: { gcra: rateOf(pl.S), revision: numberOf(item["pr"]) } } : {};
  return { kind: "rate", tatUs: numberOf(item["tat"]), backUs: numberOf(item["bk"]), writtenAtUs: numberOf(item["wa"]), ...terms };
}

/** A policy that comes by now and then would collect every process that ever was. The lease is had already, and the next one tidies again. */
async function tidyLessees(settings: Settings, { policy, nowUs }: At, item: WireItem) {
  const stale = staleLessees(item, nowUs);
  if (stale.length === 0) return;
  const update = {
    TableName: settings.table,
    Key: { pk: { S: itemKeyAt(policy, nowUs) } },
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
