import { setImmediate as turn } from "node:timers/promises";
import type { LeanDynamo, Operation, WireItem } from "../../shared/dynamo/lean-client.ts";
import type { SlotPolicy } from "../../shared/limits/policy.ts";
import type { SlotEntry } from "../../shared/limits/slot-entries.ts";
import { entriesOf } from "../../shared/limits/slot-item.ts";
import { createSlotStore } from "../../shared/limits/slot-store.dynamo.ts";
import { createSlotLimiter, type SlotLimiter, type SlotStore } from "../../shared/limits/slots.ts";
import { type StoppedClock, stopClock } from "./clock.ts";
import { createFakeDynamo, type FakeDynamo } from "./fake-dynamo/fake-dynamo.ts";
import { leanOver } from "./fake-dynamo/lean.ts";
import type { Fate } from "./memory-limits.ts";

/** Of a call to the store: as of a lease, or it strays: its caller gives up, and it arrives with the next `deliver`. */
export type CallFate = Fate | "strays";

/** Processes that hold slots of one store in memory, through the real stores. */
export type SlotWorld = {
  readonly clock: StoppedClock;
  readonly store: FakeDynamo;
  /** Of the calls to come, in turn; all work when there are no more. */
  readonly fates: CallFate[];
  readonly calls: readonly Operation[];
  readonly slotsOf: (holder: string) => SlotStore;
  /** Its clock is so far ahead. Once it is `killed`, none of its calls arrives. */
  readonly start: (holder: string, aheadMs?: number) => Process;
  readonly entriesOf: (policy: SlotPolicy) => SlotEntry[];
  /** The total that a policy's item tells. */
  readonly totalOf: (policy: SlotPolicy) => number;
  /** Lets time go by, with what was to be done later, and what happens in the background. */
  readonly pass: (ms: number) => Promise<void>;
  /** Lets late answers and stray calls arrive. */
  readonly deliver: () => void;
};

export type Process = { readonly limiter: SlotLimiter; readonly kill: () => void };

export function createSlotWorld(): SlotWorld {
  const [clock, store] = [stopClock(), createFakeDynamo({ tablePrefix: "weir" })];
  const over = leanOver(store);
  const fates: CallFate[] = [];
  const calls: Operation[] = [];
  const late: (() => void)[] = [];
  let timers: { readonly atMs: number; readonly work: () => void }[] = [];
  const later = (ms: number, work: () => void) => void timers.push({ atMs: clock.nowMs() + ms, work });

  async function call<T>(...asked: Parameters<LeanDynamo["call"]>): Promise<T> {
    calls.push(asked[0]);
    const fate = fates.shift() ?? "works";
    if (fate === "fails") throw new Error("the store is away");
    if (fate === "strays") {
      late.push(() => void over.call(...asked).catch(() => {}));
      throw new Error("no answer in time");
    }
    const answer = await over.call<T>(...asked);
    if (fate === "lost") throw new Error("the answer was lost");
    if (fate === "late") await new Promise<void>((resolve) => late.push(resolve));
    return answer;
  }

  const slotsOf = (holder: string, lean: LeanDynamo = { ...over, call }) => createSlotStore({ lean, tablePrefix: "weir", holder });
  const itemOf = ({ itemKey }: SlotPolicy) =>
    store.items("limits").find(({ pk }) => pk !== undefined && "S" in pk && pk.S === itemKey) as WireItem | undefined; // slots are texts and numbers
  return {
    ...{ clock, store, fates, calls, slotsOf },
    start(holder, aheadMs = 0) {
      let isKilled = false;
      const lean: LeanDynamo = { ...over, call: (...asked) => (isKilled ? new Promise(() => {}) : call(...asked)) };
      const own = { nowMs: () => clock.nowMs() + aheadMs };
      const kill = () => {
        isKilled = true;
      };
      return { limiter: createSlotLimiter({ store: slotsOf(holder, lean), clock: own, random: () => 0, later }), kill };
    },
    entriesOf: (policy) => entriesOf(itemOf(policy) ?? {}),
    totalOf(policy) {
      const total = itemOf(policy)?.["u"];
      return total !== undefined && "N" in total ? Number(total.N) : 0;
    },
    async pass(ms) {
      clock.advance(ms);
      const due = timers.filter(({ atMs }) => atMs <= clock.nowMs());
      timers = timers.filter(({ atMs }) => atMs > clock.nowMs());
      for (const { work } of due) work();
      await turn();
    },
    deliver() {
      for (const each of late.splice(0)) each();
    },
  };
}
