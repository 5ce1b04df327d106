import { expect, test } from "vitest";
import { checkLogits, logSumExp, rankTokens } from "./logprobs.ts";

test("log-probabilities are logits less the logarithm of the sum of exponentials", () => {
  // ln(e^1 + e^2 + e^3) = 3.407606
  expect(logSumExp(Float32Array.of(1, 2, 3))).toBeCloseTo(3.407606, 6);
  expect(logSumExp(Float32Array.of(1001, 1002, 1003))).toBeCloseTo(1003.407606, 3);
});

test("tokens are ranked from the likeliest, of equals the lower id first", () => {
  const ranked = rankTokens(Float32Array.of(1, 5, 3, 5, -Infinity), 3, 6);

  expect(ranked).toEqual([
    { token: 1, logprob: -1 },
    { token: 3, logprob: -1 },
    { token: 2, logprob: -3 },
  ]);
  expect(rankTokens(Float32Array.of(1, 2), 0, 0)).toEqual([]);
  expect(rankTokens(Float32Array.of(1, 2), 5, 0)).toHaveLength(2);
});

test.each([[[1, Number.NaN, 2]], [[Number.POSITIVE_INFINITY, 0]], [[-Infinity, -Infinity]], [[]]])("the row %o is no answer", (row) => {
  expect(() => checkLogits(Float32Array.from(row))).toThrow(expect.objectContaining({ code: "engine_failed" }));
});

test("tokens that a graph rules out itself do no harm", () => {
  expect(() => checkLogits(Float32Array.of(-Infinity, 1))).not.toThrow();
});
