import { DynamoRefusal, type LeanDynamo, type Operation, type WireItem, withLeanStore } from "../dynamo/lean-client.ts";
import { clockIsOff, isSoundClock } from "../dynamo/sound-clock.ts";
import { storeUnavailable } from "../dynamo/store-trouble.ts";
import { LIMITS, tableName } from "../dynamo/tables.ts";
import type { SlotPolicy } from "./policy.ts";
import {
  freeSlots,
  grantOf,
  type Holding,
  type HoldRequest,
  isFresh,
  SLOT_LIFE_MS,
  type SlotEntry,
  type SlotView,
  untidyOf,
  viewOf,
} from "./slot-entries.ts";
import { entriesOf, moveUpdate, type SlotUpdate, tidyUpdate } from "./slot-item.ts";
import type { SlotStore } from "./slots.ts";

const HOLD_TIMEOUT_MS = 2_000;
/** Of writes that are refused because others have taken what was seen. */
const ATTEMPTS_MAX = 4;

export type SlotStoreSettings = {
  readonly lean: LeanDynamo;
  readonly tablePrefix: string;
  /** This process, among those that hold slots. */
  readonly holder: string;
};
type Settings = SlotStoreSettings & { readonly table: string; readonly nextTurn: () => number };

/**
 * One item per policy (slot-item.ts). What a process holds is changed by one conditional write, without a read where it knows its own entry: refused is only who
 * finds too few slots left, or has an entry that is not the one it knows of. Then the item is read, put in order and tried once more.
 */
export function createSlotStore(given: SlotStoreSettings): SlotStore {
  let turn = 0;
  const nextTurn = () => {
    turn += 1;
    return turn;
  };
  const settings = { ...given, table: tableName(given.tablePrefix, LIMITS), nextTurn };
  return {
    hold: (request) => withLeanStore(() => hold(settings, request)),
    free: (policy, nowMs) => withLeanStore(async () => freeSlots(policy, await read(settings, policy), nowMs)),
  };
}

async function hold(settings: Settings, request: HoldRequest): Promise<Holding> {
  const known = knownOf(settings, request);
  let view = known ?? (await look(settings, request));
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    const { mine } = view;
    // Whom others forestalled again and again gets what it has: there is a limit, and it is reached.
    const granted = attempt < ATTEMPTS_MAX ? grantOf(request, view) : Math.max(request.atLeast, Math.min(request.want, mine?.slots ?? 0));
    if (granted === (mine?.slots ?? 0) && (mine === undefined || (view !== known && mayStand(request, mine)))) {
      return { granted, endsAtMs: mine?.endsAtMs ?? 0, view };
    }
    const held = await move(settings, request, { mine, granted });
    if (held !== undefined) return held;
    view = await look(settings, request);
  }
  throw storeUnavailable(
    new Error(`the entry of ${settings.holder} in ${request.policy.itemKey} was changed by others ${ATTEMPTS_MAX} times`),
  );
}

/**
 * What is known may be written upon if it is so young that a clock which has jumped since would show, by a clock that was right when it was last compared; and if it
 * promises what is needed: who expects to be refused reads first, since a refused write costs more.
 */
function knownOf({ lean }: Settings, request: HoldRequest): SlotView | undefined {
  const { view, clock, need } = request;
  if (view === undefined || !isSoundClock(lean)) return undefined;
  const ageMs = clock.nowMs() - view.atMs;
  return ageMs >= 0 && ageMs <= SLOT_LIFE_MS && grantOf(request, view) >= need ? view : undefined;
}

/** An entry is written anew where a call of which nobody knows what became may still arrive, and change it: that call names the entry as it was. */
function mayStand({ view, clock }: HoldRequest, mine: SlotEntry): boolean {
  return view !== undefined && isFresh(mine, clock.nowMs());
}

/** The item as it is, in order. */
async function look(settings: Settings, request: HoldRequest): Promise<SlotView> {
  const atMs = request.clock.nowMs();
  return inOrder(settings, request, { entries: await read(settings, request.policy), atMs });
}

/** What was seen of an item, and the time before it was asked for. */
type Seen = { readonly entries: readonly SlotEntry[]; readonly atMs: number };

/** Puts the item in order. Whom another was faster than finds it done at the next look. */
async function inOrder(settings: Settings, { policy, clock }: HoldRequest, { entries, atMs }: Seen): Promise<SlotView> {
  const looking = { holder: settings.holder, atMs, nowMs: clock.nowMs() };
  const update = tidyUpdate(untidyOf(entries, looking), looking.nowMs);
  const after = update === undefined ? undefined : await write(settings, policy, update);
  return viewOf(after ?? entries, looking);
}

type Moving = { readonly mine: SlotEntry | undefined; readonly granted: number };

/** What is held after it; undefined if it was refused. */
async function move(settings: Settings, request: HoldRequest, { mine, granted }: Moving): Promise<Holding | undefined> {
  const { holder, nextTurn } = settings;
  const { policy, atLeast, clock } = request;
  const atMs = clock.nowMs();
  const to = { holder, slots: granted, endsAtMs: atMs + SLOT_LIFE_MS, turn: nextTurn() };
  const isMore = granted > Math.max(atLeast, mine?.slots ?? 0);
  const entries = await write(settings, policy, moveUpdate({ holder, from: mine, to, quota: isMore ? policy.quota : undefined }));
  if (entries === undefined) return undefined;
  // What is had is had, whether the item could be put in order or not: others will.
  const view = await inOrder(settings, request, { entries, atMs }).catch(() => viewOf(entries, { holder, atMs, nowMs: clock.nowMs() }));
  return { granted, endsAtMs: to.endsAtMs, view };
}

async function read(settings: Settings, { itemKey }: SlotPolicy): Promise<SlotEntry[]> {
  const input = { TableName: settings.table, Key: { pk: { S: itemKey } }, ConsistentRead: true };
  const { Item = {} } = await ask<{ Item?: WireItem }>(settings, "GetItem", input);
  return entriesOf(Item);
}

/** The entries as they are then; undefined if the condition does not hold. */
async function write(settings: Settings, { itemKey }: SlotPolicy, update: SlotUpdate): Promise<SlotEntry[] | undefined> {
  const input = { TableName: settings.table, Key: { pk: { S: itemKey } }, ...update, ReturnValues: "ALL_NEW" };
  try {
    return entriesOf((await ask<{ Attributes?: WireItem }>(settings, "UpdateItem", input)).Attributes ?? {});
  } catch (cause) {
    if (cause instanceof DynamoRefusal && cause.isConditionFailed) return undefined;
    throw cause;
  }
}

/** A clock that has jumped looks right until the store has answered: what was taken by it is not used, and others put the item right. */
async function ask<T>({ lean }: Settings, operation: Operation, input: object): Promise<T> {
  const answer = await lean.call<T>(operation, input, HOLD_TIMEOUT_MS);
  if (!isSoundClock(lean)) throw clockIsOff(lean);
  return answer;
}
