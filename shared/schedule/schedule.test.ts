import { expect, test } from "vitest";
import { stopClock } from "../../test/harness/clock.ts";
import { handlerOf } from "./lambda.ts";
import { type Round, timeOf } from "./round.ts";
import { startTimer } from "./timer.ts";

const clock = stopClock();

/** Runs a timer until `rounds` have been asked for; answers how long it waited between them, and what it logged. */
async function runTimer(answers: readonly (boolean | Error)[]) {
  const [waits, logged]: [number[], string[]] = [[], []];
  const done = Promise.withResolvers<void>();
  let rounds = 0;
  const round: Round = async () => {
    const answer = answers[rounds];
    rounds += 1;
    if (answer instanceof Error) throw answer;
    return { hasMore: answer ?? false };
  };
  const wait = async (ms: number) => {
    waits.push(ms);
    if (rounds < answers.length) return;
    done.resolve();
    await new Promise((_, reject) => stopped.addEventListener("abort", reject));
  };
  const stopped = new EventTarget();
  const log = (_: string, message: string) => logged.push(message);
  const timer = startTimer({ name: "sealer", everyMs: 60_000, roundTimeoutMs: 60_000, round, clock, log, wait });
  await done.promise;
  const end = timer.stop();
  stopped.dispatchEvent(new Event("abort"));
  await end;
  return { waits, logged, rounds };
}

test("rounds follow each other at once while more waits, and else after the interval", async () => {
  expect((await runTimer([true, false, true, false])).waits).toEqual([50, 60_000, 50, 60_000]);
});

test("a round that fails is said and followed by the next", async () => {
  const { waits, logged, rounds } = await runTimer([new Error("the store is away"), false]);

  expect(logged).toEqual(["a round of the sealer failed"]);
  expect({ waits, rounds }).toEqual({ waits: [60_000, 60_000], rounds: 2 });
});

test("stopping lets the round that runs finish, tells it so, and begins no other", async () => {
  const begun = Promise.withResolvers<AbortSignal>();
  const mayEnd = Promise.withResolvers<void>();
  let rounds = 0;
  const round: Round = async ({ signal }) => {
    rounds += 1;
    begun.resolve(signal);
    await mayEnd.promise;
    return { hasMore: true };
  };
  const timer = startTimer({ name: "sealer", everyMs: 1, roundTimeoutMs: 60_000, round, clock, log: () => {} });
  const signal = await begun.promise;

  let isStopped = false;
  const end = timer.stop().then(() => (isStopped = true));

  expect([signal.aborted, isStopped]).toEqual([true, false]);
  mayEnd.resolve();
  await end;
  expect(rounds).toBe(1);
});

test("on Lambda rounds go on until nothing waits", async () => {
  const answers = [true, true, false];

  const handler = handlerOf(async () => ({ hasMore: answers.shift() ?? true }), clock);

  expect(await handler({}, { getRemainingTimeInMillis: () => 60_000 })).toEqual({ rounds: 3, hasMore: false });
});

test("on Lambda no round begins when the time is nearly over, and what is left is said", async () => {
  const handler = handlerOf(async ({ signal }) => {
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
    return { hasMore: true };
  }, clock);

  expect(await handler({}, { getRemainingTimeInMillis: () => 10_001 })).toEqual({ rounds: 1, hasMore: true });
});

test("a clock that only goes on, or is corrected by less than a second, was not set back", () => {
  let nowMs = 10_000;
  const { isSetBack } = timeOf({ nowMs: () => nowMs });

  const seen = [10_000, 9_001, 50_000, 8_999].map((atMs) => {
    nowMs = atMs;
    return isSetBack?.();
  });

  expect(seen).toEqual([false, false, false, true]);
});
