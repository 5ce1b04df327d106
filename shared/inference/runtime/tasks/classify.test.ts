import { describe, expect, test } from "vitest";
import type { ModelSettings } from "../model-files.ts";
import { finishClassify } from "./classify.ts";

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
const REQUEST = { task: "classify", inputs: [], overlong: "cut" } as const;
const SIGMOID_1 = 1 / (1 + Math.exp(-1));

describe("the function that turns logits into scores", () => {
  test.each([
    ["several labels: softmax", [0, 0], {}, {}, [0.5, 0.5]],
    ["one label: sigmoid", [1], {}, {}, [SIGMOID_1]],
    ["multi-label: sigmoid", [1, 0], { classifyFunction: "sigmoid" }, {}, [SIGMOID_1, 0.5]],
    ["regression: none", [3.5], { classifyFunction: "none" }, {}, [3.5]],
    ["the caller's wish comes first", [1, 0], { classifyFunction: "none" }, { function: "sigmoid" }, [SIGMOID_1, 0.5]],
    ["logits beyond the exponential's range stay finite", [1e4, -1e4], {}, {}, [1, 0]],
  ] as const)("%s", (_, logits, settings, request, expected) => {
    const result = finishClassify(
      { values: new Float32Array(logits), width: logits.length },
      { ...REQUEST, ...request },
      { ...SETTINGS, ...settings },
    );

    expect(result).toMatchObject({ scores: new Float32Array(expected) });
  });
});

test("each input has its own softmax", () => {
  const result = finishClassify({ values: new Float32Array([0, 0, 1000, 0]), width: 2 }, REQUEST, SETTINGS);

  expect(result).toEqual({ task: "classify", labels: ["LABEL_0", "LABEL_1"], scores: new Float32Array([0.5, 0.5, 1, 0]) });
});

test("labels that do not fit the logits are refused", () => {
  const settings = { ...SETTINGS, labels: ["a", "b", "c"] };

  expect(() => finishClassify({ values: new Float32Array(2), width: 2 }, REQUEST, settings)).toThrow(
    /names 3 labels, and the graph's logits have 2/,
  );
});
