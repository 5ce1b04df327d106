import type { Clock } from "../../base/clock.ts";
import type { WireItem } from "../../dynamo/lean-client.ts";

/** DynamoDB's bound of a BatchWriteItem. */
const BATCH_ITEMS_MAX = 25;
/** A second batch flies only when it is full: few, large batches cost the least. */
const BATCHES_IN_FLIGHT_MAX = 4;
const BACK_OFF_MS = { first: 50, most: 1_000 };

/** `unsent`: never handed to the store, so certainly not there. `unknown`: handed over, but not acknowledged in time. */
export type WriteOutcome = "written" | "unsent" | "unknown";

export type GroupWriterSettings = {
  readonly clock: Clock;
  /** Writes at most 25 items; answers those that were left unprocessed. Throws when nothing is known of any. */
  readonly write: (items: readonly WireItem[]) => Promise<readonly WireItem[]>;
};

/** Group commit without artificial delay: a batch goes when the one before has returned, or when 25 wait. */
export type GroupWriter = {
  /** Repeats the put until it is acknowledged or `timeoutMs` is over. */
  readonly write: (item: WireItem, timeoutMs: number) => Promise<WriteOutcome>;
  /** How many wait for their first attempt or another one: for callers that bound the queue. */
  readonly waitingCount: () => number;
  readonly drain: () => Promise<void>;
};

type Waiting = {
  readonly item: WireItem;
  readonly deadlineMs: number;
  readonly resolve: (outcome: WriteOutcome) => void;
  wasSent: boolean;
};
type State = { waiting: Waiting[]; inFlight: number; failures: number; idle: (() => void)[] };

export function createGroupWriter(settings: GroupWriterSettings): GroupWriter {
  const state: State = { waiting: [], inFlight: 0, failures: 0, idle: [] };
  return {
    write(item, timeoutMs) {
      return new Promise((resolve) => {
        state.waiting.push({ item, deadlineMs: settings.clock.nowMs() + timeoutMs, resolve, wasSent: false });
        pump(settings, state);
      });
    },
    waitingCount: () => state.waiting.length,
    drain() {
      return new Promise((resolve) => {
        state.idle.push(resolve);
        sayIfIdle(state);
      });
    },
  };
}

function pump(settings: GroupWriterSettings, state: State) {
  while (mayFly(state)) {
    const batch = state.waiting.splice(0, BATCH_ITEMS_MAX);
    state.inFlight += 1;
    void fly(settings, state, batch);
  }
  sayIfIdle(state);
}

/** After a failure one batch at a time tries, so that a store in trouble is not pressed harder. */
function mayFly(state: State): boolean {
  if (state.waiting.length === 0) return false;
  const isFull = state.waiting.length >= BATCH_ITEMS_MAX;
  return state.inFlight === 0 || (isFull && state.failures === 0 && state.inFlight < BATCHES_IN_FLIGHT_MAX);
}

async function fly(settings: GroupWriterSettings, state: State, batch: readonly Waiting[]) {
  for (const each of batch) each.wasSent = true;
  const unwritten = await attempt(settings, state, batch);
  giveUpOrRepeat(settings, state, unwritten);
  if (unwritten.length > 0) await backOff(state.failures);
  state.inFlight -= 1;
  pump(settings, state);
}

async function attempt(settings: GroupWriterSettings, state: State, batch: readonly Waiting[]): Promise<readonly Waiting[]> {
  try {
    const left = new Set((await settings.write(batch.map((each) => each.item))).map(addressOf));
    const isLeft = (each: Waiting) => left.size > 0 && left.has(addressOf(each.item));
    const unwritten = batch.filter(isLeft);
    for (const each of batch) if (!isLeft(each)) each.resolve("written");
    state.failures = unwritten.length === 0 ? 0 : state.failures + 1;
    return unwritten;
  } catch {
    // Nothing is known of the batch: each of its puts is the same however often it is repeated.
    state.failures += 1;
    return batch;
  }
}

/** What has time left goes back to the head of the queue; whose time is over learns it, waiting ones included. */
function giveUpOrRepeat(settings: GroupWriterSettings, state: State, unwritten: readonly Waiting[]) {
  if (unwritten.length === 0) return;
  const nowMs = settings.clock.nowMs();
  const all = [...unwritten, ...state.waiting];
  state.waiting = all.filter((each) => each.deadlineMs > nowMs);
  for (const each of all) if (each.deadlineMs <= nowMs) each.resolve(each.wasSent ? "unknown" : "unsent");
}

function backOff(failures: number): Promise<void> {
  const mostMs = Math.min(BACK_OFF_MS.most, BACK_OFF_MS.first * 2 ** Math.min(failures, 10));
  return new Promise((resolve) => setTimeout(resolve, mostMs / 2 + (mostMs / 2) * Math.random()));
}

function addressOf(item: WireItem): string {
  return `${JSON.stringify(item["pk"])}${JSON.stringify(item["sk"])}`;
}

function sayIfIdle(state: State) {
  if (state.inFlight > 0 || state.waiting.length > 0) return;
  for (const resolve of state.idle.splice(0)) resolve();
}
