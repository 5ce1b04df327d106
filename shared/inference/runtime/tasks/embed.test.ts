import { describe, expect, test } from "vitest";
import type { ModelSettings, Pooling } from "../model-files.ts";
import { finishEmbed, poolTokens } from "./embed.ts";

/** Two texts of 2 and 3 tokens with vectors of 2 elements; the first text's padding is 99 and must never be seen. */
const TOKENS = {
  data: new Float32Array([1, -8, 3, 4, 99, 99, 2, 0, -1, 5, 6, 7]),
  dims: [2, 3, 2],
};
const SETTINGS: ModelSettings = {
  family: "bert",
  tokensMax: 8,
  vocabSize: 100,
  typeCount: 2,
  padId: 0,
  isLowercased: false,
  prompt: "",
  poolings: ["mean"],
  isNormalized: true,
  otherModules: [],
  labels: undefined,
  classifyFunction: undefined,
};
const REQUEST = { task: "embed", inputs: [], overlong: "cut" } as const;

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
  ])("%s reads the text's tokens and not its padding", (pooling, expected) => {
    const { values, width } = poolTokens(TOKENS, [2, 3], [pooling]);

    expect(width).toBe(2);
    for (const [at, value] of expected.entries()) expect(values[at]).toBeCloseTo(value, 5);
  });

  test("max keeps what is below zero", () => {
    expect([...poolTokens({ data: new Float32Array([-3, -2]), dims: [1, 2, 1] }, [2], ["max"]).values]).toEqual([-2]);
  });

  test("several are joined", () => {
    expect([...poolTokens(TOKENS, [2, 3], ["cls", "mean"]).values.subarray(0, 4)]).toEqual([1, -8, 2, -2]);
  });
});

describe("vectors", () => {
  const rows = () => ({ values: new Float32Array([3, 4, 12, 0, 0, 0]), width: 3 });

  test("are normalised as the model's files say, unless the caller says otherwise", () => {
    expect(finishEmbed(rows(), REQUEST, SETTINGS)).toEqual({
      task: "embed",
      dimensions: 3,
      vectors: new Float32Array([3 / 13, 4 / 13, 12 / 13, 0, 0, 0]),
    });
    expect(finishEmbed(rows(), { ...REQUEST, normalize: false }, SETTINGS)).toMatchObject({ vectors: rows().values });
  });

  test("keep their first elements and are normalised after that", () => {
    const result = finishEmbed(rows(), { ...REQUEST, dimensions: 2 }, SETTINGS);

    expect(result).toEqual({ task: "embed", dimensions: 2, vectors: new Float32Array([0.6, 0.8, 0, 0]) });
  });

  test("cannot have more elements than the model gives", () => {
    expect(() => finishEmbed(rows(), { ...REQUEST, dimensions: 4 }, SETTINGS)).toThrow(
      expect.objectContaining({ code: "invalid_request", field: "dimensions" }),
    );
  });
});
