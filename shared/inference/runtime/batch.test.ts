import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { assembleBatch, type BatchLimits } from "./batch.ts";

const LIMITS: BatchLimits = { tokensMax: 512, inputsMax: 64, isPadded: true };
const waiting = fc.array(fc.record({ tokens: fc.integer({ min: 1, max: 512 }) }), { minLength: 1, maxLength: 200 });
const limits = fc.record({
  tokensMax: fc.integer({ min: 512, max: 4096 }),
  inputsMax: fc.integer({ min: 1, max: 64 }),
  isPadded: fc.boolean(),
});

const inputs = (...lengths: number[]) => lengths.map((tokens) => ({ tokens }));

test("nobody waiting is an empty batch", () => {
  expect(assembleBatch([], LIMITS)).toEqual([]);
});

test("those of nearly the oldest's length go with it, wherever they stand", () => {
  expect(assembleBatch(inputs(100, 5, 98, 200, 103), LIMITS)).toEqual([0, 2, 4]);
});

test("short texts may differ by what another run would cost", () => {
  expect(assembleBatch(inputs(3, 200, 9, 11, 12), LIMITS)).toEqual([0, 2, 3]);
});

test("inputs that run alone are taken as they came", () => {
  expect(assembleBatch(inputs(100, 5, 300, 200), { ...LIMITS, isPadded: false })).toEqual([0, 1, 2]);
});

describe("for any queue", () => {
  test("the oldest goes, nobody twice, and the limits hold", () => {
    fc.assert(
      fc.property(waiting, limits, (queue, limits) => {
        const batch = assembleBatch(queue, limits);
        const lengths = batch.map((index) => queue[index]?.tokens ?? Number.NaN);
        const [longest, shortest] = [Math.max(...lengths), Math.min(...lengths)];
        const sum = lengths.reduce((total, tokens) => total + tokens, 0);

        expect(batch[0]).toBe(0);
        expect(new Set(batch).size).toBe(batch.length);
        expect(batch.length).toBeLessThanOrEqual(limits.inputsMax);
        expect(limits.isPadded ? longest * batch.length : sum).toBeLessThanOrEqual(limits.tokensMax);
        if (limits.isPadded) expect(longest - shortest).toBeLessThanOrEqual(Math.max(8, longest / 8));
      }),
    );
  });

  test("batch after batch, everyone goes exactly once, and nobody waits for more batches than stood before it", () => {
    fc.assert(
      fc.property(waiting, limits, (queue, limits) => {
        let left = queue.map((input, place) => ({ ...input, place }));
        const gone: number[] = [];
        for (let round = 0; left.length > 0; round += 1) {
          const batch = new Set(assembleBatch(left, limits));
          for (const index of batch) {
            const place = left[index]?.place ?? Number.NaN;
            expect(round).toBeLessThanOrEqual(place);
            gone.push(place);
          }
          left = left.filter((_, index) => !batch.has(index));
        }

        expect(gone.sort((a, b) => a - b)).toEqual([...queue.keys()]);
      }),
    );
  });
});
