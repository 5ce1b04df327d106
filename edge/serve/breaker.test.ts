import fc from "fast-check";
import { beforeEach, expect, test } from "vitest";
import { type StoppedClock, stopClock } from "../../test/harness/clock.ts";
import {
  type Admission,
  type Breaker,
  createBreaker,
  FAILURES_IN_ROW_MAX,
  OPEN_MS_MAX,
  OPEN_MS_MIN,
  TRIAL_MS_MAX,
  WINDOW_CALLS_MIN,
  WINDOW_MS,
} from "./breaker.ts";

let clock: StoppedClock;
let breaker: Breaker;
beforeEach(() => {
  clock = stopClock();
  breaker = createBreaker(clock);
});

const admitted = (): Admission => {
  const admission = breaker.admit();
  if (admission === undefined) throw new Error("the breaker let nobody through");
  return admission;
};
const fail = (reason = "it is away", retryAfterMs?: number) => admitted().failed(reason, retryAfterMs);
const trip = () => {
  for (let failure = 0; failure < FAILURES_IN_ROW_MAX; failure += 1) fail();
};

test("a few failures in a row open it, and it says why and for how long", () => {
  for (let failure = 1; failure < FAILURES_IN_ROW_MAX; failure += 1) fail();
  expect(breaker.look()).toEqual({ state: "closed", retryInMs: 0 });

  fail("the pool is away");

  expect(breaker.look()).toEqual({ state: "open", reason: "the pool is away", retryInMs: OPEN_MS_MIN });
  expect(breaker.admit()).toBeUndefined();
});

test("a success begins the row again, and calls that say nothing do not count", () => {
  for (let round = 0; round < 3; round += 1) {
    for (let failure = 1; failure < FAILURES_IN_ROW_MAX; failure += 1) {
      fail();
      admitted().withdrawn();
    }
    admitted().succeeded();
  }

  // 12 failures of 15 calls: too few to judge a share by.
  expect(breaker.look().state).toBe("closed");
});

test("more than half of the calls of the window open it, however they are mixed", () => {
  for (let call = 0; call < WINDOW_CALLS_MIN - 1; call += 1) {
    if (call % 2 === 0) fail();
    else admitted().succeeded();
  }
  expect(breaker.look().state).toBe("closed");

  fail();

  expect(breaker.look().state).toBe("open");
});

test("what is older than the window is forgotten", () => {
  const mix = () => {
    for (let call = 0; call < WINDOW_CALLS_MIN - 2; call += 1) {
      if (call % 2 === 0) fail();
      else admitted().succeeded();
    }
  };
  mix();
  clock.advance(WINDOW_MS + 1);
  mix();
  fail();

  expect(breaker.look().state).toBe("closed");
});

test("after its time one call tries, alone, and its success closes it", () => {
  trip();
  clock.advance(OPEN_MS_MIN);
  expect(breaker.look()).toMatchObject({ state: "half-open", retryInMs: 0 });

  const trial = admitted();

  expect(breaker.admit()).toBeUndefined();
  trial.succeeded();
  expect(breaker.look().state).toBe("closed");
  for (let failure = 1; failure < FAILURES_IN_ROW_MAX; failure += 1) fail();
  expect(breaker.look().state).toBe("closed");
});

test("each trial that fails doubles the time, up to its bound", () => {
  trip();
  const waits: number[] = [];
  for (let round = 0; round < 7; round += 1) {
    clock.advance(breaker.look().retryInMs);
    fail();
    waits.push(breaker.look().retryInMs);
  }

  expect(waits).toEqual([2_000, 4_000, 8_000, 16_000, OPEN_MS_MAX, OPEN_MS_MAX, OPEN_MS_MAX]);
});

test("a pool that says when to come back is left alone until then, within the bound", () => {
  for (let failure = 1; failure < FAILURES_IN_ROW_MAX; failure += 1) fail();
  fail("asleep", 5_000);
  expect(breaker.look().retryInMs).toBe(5_000);

  clock.advance(5_000);
  fail("asleep", 10 * 60_000);

  expect(breaker.look().retryInMs).toBe(OPEN_MS_MAX);
});

test("a trial that says nothing leaves its place to the next, at once or after its time", () => {
  trip();
  clock.advance(OPEN_MS_MIN);

  admitted().withdrawn();
  const lost = admitted();
  expect(breaker.admit()).toBeUndefined();
  clock.advance(TRIAL_MS_MAX);
  const next = admitted();
  lost.succeeded(); // too late to count

  expect(breaker.look().state).toBe("half-open");
  next.succeeded();
  expect(breaker.look().state).toBe("closed");
});

test("calls from before it opened change nothing once they end", () => {
  const [early, late] = [admitted(), admitted()];
  trip();
  early.succeeded();
  expect(breaker.look().state).toBe("open");
  clock.advance(OPEN_MS_MIN);
  admitted().succeeded();

  late.failed("old news");
  for (let failure = 1; failure < FAILURES_IN_ROW_MAX; failure += 1) fail();

  expect(breaker.look().state).toBe("closed");
});

test("a clock that is set back does not keep it open", () => {
  trip();

  clock.advance(-60 * 60_000);

  expect(breaker.admit()).toBeDefined();
});

type Step = { kind: "admit" } | { kind: "wait"; ms: number } | { kind: "end"; which: number; how: keyof Admission };
const steps = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.constant<Step>({ kind: "admit" }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 40_000 }) }) },
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant("end" as const),
        which: fc.nat(50),
        how: fc.constantFrom<keyof Admission>("succeeded", "failed", "failed", "failed", "withdrawn"),
      }),
    },
  ),
  { maxLength: 300 },
);

test("whatever happens: nobody passes while it is open, one at a time tries, and it is never stuck", () => {
  fc.assert(
    fc.property(steps, (course) => {
      clock = stopClock();
      breaker = createBreaker(clock);
      const running: Admission[] = [];
      const trials: { admission: Admission; atMs: number }[] = [];
      for (const step of course) {
        if (step.kind === "wait") clock.advance(step.ms);
        else if (step.kind === "end") {
          const [ended] = running.splice(step.which % Math.max(1, running.length), 1);
          if (ended === undefined) continue;
          ended[step.how]("it failed");
          const at = trials.findIndex(({ admission }) => admission === ended);
          if (at >= 0) trials.splice(at, 1);
        } else {
          const { state } = breaker.look();
          const admission = breaker.admit();
          if (state === "closed") expect(admission).toBeDefined();
          if (state === "open") expect(admission).toBeUndefined();
          if (admission === undefined) continue;
          running.push(admission);
          if (state !== "half-open") continue;
          expect(trials.filter(({ atMs }) => clock.nowMs() - atMs < TRIAL_MS_MAX)).toEqual([]);
          trials.push({ admission, atMs: clock.nowMs() });
        }
        if (breaker.look().state === "closed") trials.length = 0; // a later opening has its own trials
      }
      clock.advance(OPEN_MS_MAX + TRIAL_MS_MAX);
      expect(breaker.admit()).toBeDefined();
    }),
  );
});

test("a pool that is away for an hour is asked some 120 times, however many want it", () => {
  const HOUR_MS = 3_600_000;
  let calls = 0;
  for (let ms = 0; ms < HOUR_MS; ms += 50) {
    const admission = breaker.admit();
    if (admission !== undefined) calls += 1;
    admission?.failed("away");
    clock.advance(50);
  }

  expect(calls).toBeLessThanOrEqual(FAILURES_IN_ROW_MAX + 5 + HOUR_MS / OPEN_MS_MAX);
});
