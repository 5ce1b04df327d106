import { describe, expect, test } from "vitest";
import { finishClassify } from "./classify.ts";

const REQUEST = { task: "classify", inputs: [], overlong: "cut" } as const;
const SIGMOID_1 = 1 / (1 + Math.exp(-1));
const rowOf = (...logits: readonly number[]) => ({ values: new Float32Array(logits), width: logits.length });

describe("the function that turns logits into scores", () => {
  test.each([
    ["several labels: softmax", [0, 0], undefined, {}, [0.5, 0.5]],
    ["one label: sigmoid", [1], undefined, {}, [SIGMOID_1]],
    ["multi-label: sigmoid", [1, 0], "sigmoid", {}, [SIGMOID_1, 0.5]],
    ["regression: none", [3.5], "none", {}, [3.5]],
    ["the caller's wish comes first", [1, 0], "none", { function: "sigmoid" }, [SIGMOID_1, 0.5]],
    ["logits beyond the exponential's range stay finite", [1e4, -1e4], undefined, {}, [1, 0]],
  ] as const)("%s", (_, logits, classifyFunction, request, expected) => {
    const labels = logits.map((_, id) => `LABEL_${id}`);

    const result = finishClassify([rowOf(...logits)], { ...REQUEST, ...request }, { labels, settings: { classifyFunction } });

    expect(result).toMatchObject({ labels, scores: new Float32Array(expected) });
  });
});

test("each input has its own softmax", () => {
  const head = { labels: ["a", "b"], settings: { classifyFunction: undefined } };

  const result = finishClassify([rowOf(0, 0), rowOf(1000, 0)], REQUEST, head);

  expect(result).toEqual({ task: "classify", labels: ["a", "b"], scores: new Float32Array([0.5, 0.5, 1, 0]) });
});
