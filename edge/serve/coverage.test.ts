import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Checkpoint } from "../../shared/usage/ledger/ledger.ts";
import { CHECKPOINT_TOKENS, type Counts, createCoverage, ROW_LIFE_MS } from "./coverage.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});
afterEach(() => {
  vi.useRealTimers();
});

const countsOf = (outputTokens: number): Counts => ({ servedVersion: 1, tier: "cpu", inputTokens: 4, outputTokens, computeMs: 0 });

/** Coverage over a store that acknowledges when it is told to. */
function startCoverage(settings: { choices?: number; outputTokensMax?: number } = {}) {
  const written: number[] = [];
  const waiting: { resolve: () => void; reject: (cause: Error) => void }[] = [];
  const coverage = createCoverage({
    choices: 1,
    outputTokensMax: Number.POSITIVE_INFINITY,
    ...settings,
    checkpoint: ({ outputTokens }: Checkpoint) => {
      written.push(outputTokens);
      return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
    },
  });
  const acknowledge = async () => {
    for (const { resolve } of waiting.splice(0)) resolve();
    await vi.advanceTimersByTimeAsync(0);
  };
  return { coverage, written, waiting, acknowledge };
}

test("what is prepared in time is never waited for, and the next checkpoint goes when half of one is used", async () => {
  const { coverage, written, acknowledge } = startCoverage();
  coverage.prepare(countsOf(0));
  await acknowledge();

  const waits = Array.from({ length: CHECKPOINT_TOKENS / 2 }, (_, index) => coverage.cover(countsOf(index + 1)));

  expect(waits.every((wait) => wait === undefined)).toBe(true);
  expect(written).toEqual([CHECKPOINT_TOKENS, CHECKPOINT_TOKENS * 1.5]);
});

test("a piece of more tokens than are covered waits until they are", async () => {
  const { coverage, written, acknowledge } = startCoverage();
  coverage.prepare(countsOf(0));
  const wait = coverage.cover(countsOf(200));
  await acknowledge();
  await acknowledge();

  await wait;

  expect(written).toEqual([64, 264]);
  expect(coverage.cover(countsOf(201))).toBeUndefined();
});

test("a checkpoint that fails in the background is tried again by who needs it, whose failure ends the stream", async () => {
  const { coverage, waiting } = startCoverage();
  coverage.prepare(countsOf(0));
  const wait = coverage.cover(countsOf(1));
  waiting.shift()?.reject(new Error("throttled"));
  await vi.advanceTimersByTimeAsync(0);

  waiting.shift()?.reject(new Error("still"));

  await expect(wait).rejects.toThrow("still");
});

test("work without output keeps its row alive and covers nothing, and what has ended is not renewed", async () => {
  const { coverage, written, acknowledge } = startCoverage();

  await vi.advanceTimersByTimeAsync(ROW_LIFE_MS / 3);
  await acknowledge();
  await vi.advanceTimersByTimeAsync(ROW_LIFE_MS / 3);
  await acknowledge();
  coverage.close();
  await vi.advanceTimersByTimeAsync(ROW_LIFE_MS);

  expect(written).toEqual([0, 0]);
});

test("whatever comes when: what is covered is at least what may leave, at most a step ahead of it, and never beyond the request's limit", async () => {
  const courses = fc.record({
    choices: fc.integer({ min: 1, max: 4 }),
    limit: fc.option(fc.nat(500)),
    pieces: fc.array(fc.tuple(fc.nat(150), fc.boolean()), { maxLength: 30 }),
  });
  await fc.assert(
    fc.asyncProperty(courses, async ({ choices, limit, pieces }) => {
      const outputTokensMax = limit ?? Number.POSITIVE_INFINITY;
      const { coverage, written, acknowledge } = startCoverage({ choices, outputTokensMax });
      coverage.prepare(countsOf(0));
      let delivered = 0;
      for (const [tokens, isStoreQuick] of pieces) {
        delivered = Math.min(outputTokensMax, delivered + tokens);
        if (isStoreQuick) await acknowledge();
        const wait = coverage.cover(countsOf(delivered));
        if (wait !== undefined) {
          await acknowledge();
          await acknowledge();
          await wait;
        }

        const covered = written.at(-1) ?? 0;
        expect(covered).toBeGreaterThanOrEqual(delivered);
        expect(covered).toBeLessThanOrEqual(Math.min(outputTokensMax, delivered + CHECKPOINT_TOKENS * choices));
      }
      coverage.close();
    }),
    { numRuns: 300 },
  );
});
