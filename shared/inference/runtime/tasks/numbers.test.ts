import fc from "fast-check";
import { expect, test } from "vitest";
import { indexesOfLargest, indexOfLargest, softmax } from "./numbers.ts";

test("the largest are those that sorting finds, equals in their order", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 60 }), fc.integer({ min: 1, max: 70 }), (values, count) => {
      const sorted = [...values.keys()].sort((a, b) => (values[b] ?? 0) - (values[a] ?? 0));

      expect(indexesOfLargest(values, count)).toEqual(sorted.slice(0, count));
    }),
  );
});

test("the largest of equals is the first", () => {
  expect(indexOfLargest([1, 3, 3, 2])).toBe(1);
});

test("softmax stays finite beyond the exponential's range, and knows what is impossible", () => {
  expect([...softmax([1e6, 1e6, Number.NEGATIVE_INFINITY])]).toEqual([0.5, 0.5, 0]);
});
