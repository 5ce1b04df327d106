import { setImmediate as turn } from "node:timers/promises";
import type { LeanDynamo, Operation } from "../../shared/dynamo/lean-client.ts";
import type { Refused } from "../../shared/limits/limiter.ts";
import { policiesOf, type SlotPolicy } from "../../shared/limits/policy.ts";
import { createSlotStore } from "../../shared/limits/slot-store.dynamo.ts";
import { createSlotLimiter, type HeldSlots } from "../../shared/limits/slots.ts";
import { type StoppedClock, stopClock } from "./clock.ts";
import { createFakeDynamo } from "./fake-dynamo/fake-dynamo.ts";
import { leanOver } from "./fake-dynamo/lean.ts";
import { createRandom, type Random } from "./random.ts";

/** Gateways that serve one tenant at once, each request at another one. */
export type Crowd = {
  readonly gateways: number;
  readonly limit: number;
  readonly load: Load;
  readonly runsMs: number;
  readonly seconds: number;
  readonly seed?: number;
};

/** Requests that come by chance, so many a second on average; or callers who have one at a time, and the next one soon after its answer. */
export type Load = { readonly perSecond: number } | { readonly callers: number };

export type CrowdReport = {
  admitted: number;
  /** By the limit. */
  refused: number;
  /** By a store that could not say. */
  failed: number;
  calls: number;
  /** The most that ran at once. */
  most: number;
  /** The longest time for which a slot had been free when somebody was refused, if each request takes the one that has been free for longest. */
  freeBeforeRefusalMs: number;
  /** The longest that somebody waited for a slot or a refusal. */
  waitedMs: number;
};

/** A call is a few milliseconds on its way, and its answer too. */
const LEG_MS = { least: 1, most: 3 };
/** From a request's end to its caller's next one, and from a refusal. */
const PAUSE_MS = 2;
const REFUSED_PAUSE_MS = 1_000;

/** Time that goes from one event to the next. */
type Agenda = { readonly at: (atMs: number, work: () => void) => void; readonly run: (untilMs: number) => Promise<void> };

export async function runCrowd({ gateways, limit, load, runsMs, seconds, seed = 7 }: Crowd): Promise<CrowdReport> {
  const [clock, random] = [stopClock(), createRandom(seed)];
  const agenda = createAgenda(clock);
  const after = (ms: number, work: () => void) => agenda.at(clock.nowMs() + ms, work);
  const tally = createTally(clock, limit);
  const lean = slowLean(after, random, tally.called);
  const limiters = Array.from({ length: gateways }, (_, place) =>
    createSlotLimiter({
      store: createSlotStore({ lean, tablePrefix: "weir", holder: `gateway-${place}` }),
      clock,
      random: () => random.next(),
      later: (ms: number, work: () => void) => after(ms, work),
    }),
  );
  const policies = slotPolicies(limit);
  const startMs = clock.nowMs();
  const endMs = startMs + seconds * 1_000;

  /** `next` is what its caller does after a pause. */
  async function ask(next: () => void) {
    const [limiter, askedMs] = [random.pick(limiters), clock.nowMs()];
    const verdict = await Promise.resolve(limiter.take(policies)).catch(() => undefined);
    tally.answered(verdict, askedMs);
    if (!verdict?.isAdmitted) return after(REFUSED_PAUSE_MS, next);
    after(runsMs, () => {
      tally.ended();
      limiter.release(verdict);
      after(PAUSE_MS, next);
    });
  }

  const again = () => void (clock.nowMs() < endMs && ask(again));
  if ("callers" in load) for (let caller = 0; caller < load.callers; caller += 1) agenda.at(startMs + caller, again);
  else for (let atMs = startMs; atMs < endMs; atMs += gapMs(random, load.perSecond)) agenda.at(Math.round(atMs), () => void ask(() => {}));
  for (const limiter of limiters) {
    const phaseMs = random.below(5_000);
    for (let atMs = startMs + phaseMs; atMs < endMs; atMs += 5_000) agenda.at(atMs, () => void limiter.renew());
  }
  await agenda.run(endMs + 1_000);
  return tally.report;
}

function createTally(clock: StoppedClock, limit: number) {
  const report: CrowdReport = { admitted: 0, refused: 0, failed: 0, calls: 0, most: 0, freeBeforeRefusalMs: 0, waitedMs: 0 };
  const freeSinceMs: number[] = new Array(limit).fill(clock.nowMs());
  let running = 0;
  return {
    report,
    called() {
      report.calls += 1;
    },
    answered(verdict: HeldSlots | Refused | undefined, askedMs: number) {
      report.waitedMs = Math.max(report.waitedMs, clock.nowMs() - askedMs);
      if (verdict === undefined) report.failed += 1;
      else if (verdict.isAdmitted) {
        report.admitted += 1;
        freeSinceMs.shift();
        running += 1;
        report.most = Math.max(report.most, running);
      } else {
        report.refused += 1;
        report.freeBeforeRefusalMs = Math.max(report.freeBeforeRefusalMs, clock.nowMs() - (freeSinceMs[0] ?? clock.nowMs()));
      }
    },
    ended() {
      freeSinceMs.push(clock.nowMs());
      running -= 1;
    },
  };
}

export function slotPolicies(concurrentRequests: number, id = "t"): SlotPolicy[] {
  const rate = { requestsPerSecond: 1, burst: 1 };
  return [...policiesOf({ tenant: { id, rate, limits: { concurrentRequests } }, key: { id: "k" } }).slots];
}

function gapMs(random: Random, perSecond: number): number {
  return (-Math.log(1 - random.next()) * 1_000) / perSecond;
}

/** A store that does what it is asked when the call arrives, and whose answers take their time. */
function slowLean(after: (ms: number, work: () => void) => void, random: Random, count: () => void): LeanDynamo {
  const store = leanOver(createFakeDynamo({ tablePrefix: "weir" }));
  const leg = () => new Promise<void>((resolve) => after(LEG_MS.least + random.below(LEG_MS.most - LEG_MS.least + 1), resolve));
  return {
    ...store,
    async call<T>(operation: Operation, input: object, timeoutMs: number): Promise<T> {
      count();
      await leg();
      const answer = store.call<T>(operation, input, timeoutMs).then(
        (value) => ({ value }),
        (cause: unknown) => ({ cause }),
      );
      await leg();
      const told = await answer;
      if ("cause" in told) throw told.cause;
      return told.value;
    },
  };
}

function createAgenda(clock: StoppedClock): Agenda {
  const events = new Map<number, (() => void)[]>();
  return {
    at(atMs, work) {
      const same = events.get(atMs);
      if (same === undefined) events.set(atMs, [work]);
      else same.push(work);
    },
    async run(untilMs) {
      for (; clock.nowMs() < untilMs; clock.advance(1)) {
        // What an event causes at once may be at the same time.
        for (let due = events.get(clock.nowMs()); due !== undefined; due = events.get(clock.nowMs())) {
          events.delete(clock.nowMs());
          for (const work of due) work();
          await turn();
        }
      }
    },
  };
}
