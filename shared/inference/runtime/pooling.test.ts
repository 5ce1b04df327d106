import { describe, expect, test } from "vitest";
import type { Pooling } from "./model-files.ts";
import { poolTokens } from "./pooling.ts";

/** Texts of 2 and 3 tokens with vectors of 2 elements. */
const SHORT = new Float32Array([1, -8, 3, 4]);
const LONG = new Float32Array([2, 0, -1, 5, 6, 7]);

describe("poolings of sentence-transformers", () => {
  const root2 = Math.sqrt(2);
  const root3 = Math.sqrt(3);
  test.each<[Pooling, number[]]>([
    ["cls", [1, -8, 2, 0]],
    ["lasttoken", [3, 4, 6, 7]],
    ["max", [3, 4, 6, 7]],
    ["mean", [2, -2, 7 / 3, 4]],
    ["mean_sqrt_len", [4 / root2, -4 / root2, 7 / root3, 12 / root3]],
    ["weightedmean", [(1 + 6) / 3, (-8 + 8) / 3, (2 - 2 + 18) / 6, (0 + 10 + 21) / 6]],
  ])("%s", (pooling, expected) => {
    const values = [...poolTokens(SHORT, 2, [pooling]).values, ...poolTokens(LONG, 3, [pooling]).values];

    expect(values).toHaveLength(4);
    for (const [at, value] of expected.entries()) expect(values[at]).toBeCloseTo(value, 5);
  });

  test("max keeps what is below zero", () => {
    expect([...poolTokens(new Float32Array([-3, -2]), 2, ["max"]).values]).toEqual([-2]);
  });

  test("several are joined", () => {
    expect(poolTokens(SHORT, 2, ["cls", "mean"])).toEqual({ values: new Float32Array([1, -8, 2, -2]), width: 4 });
  });
});
