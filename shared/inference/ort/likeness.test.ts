import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TaskRequest, TaskResult } from "../contract.ts";
import { loadModel, type Model } from "./model.ts";

const MINILM = fileURLToPath(new URL("../../../cdk/local/models/all-minilm-l6-v2/", import.meta.url));

/** The opening of a text on weirs, in plain words of our own; two of its sentences say the same. */
const RIVER = `A weir is a low barrier built across a river to control its flow. Engineers use weirs to measure how much water a river carries.
Weirs let engineers measure the water that flows in a river. Unlike a dam, a weir lets the water run over its top.
Fish often cannot pass a weir, so builders add ladders of small pools beside it. My sister was born in May.`;

let model: Model;
beforeAll(async () => {
  model = await loadModel(MINILM, "q8", { threads: 1, provider: "cpu" });
});
afterAll(() => model.dispose());

async function ask<Task extends TaskResult["task"]>(request: TaskRequest & { task: Task }): Promise<Extract<TaskResult, { task: Task }>> {
  const { body } = await model.run(request);
  if (!isOf(body, request.task)) throw new Error("a task answers itself");
  return body;
}
const isOf = <Task extends TaskResult["task"]>(body: TaskResult, task: Task): body is Extract<TaskResult, { task: Task }> =>
  body.task === task;

describe("zero-shot by likeness", () => {
  const texts = ["The striker scored twice in the final.", "The central bank raised interest rates."];
  const labels = ["economy", "football", "cooking"];

  test("finds what a text is about, and its scores are shares of one", async () => {
    const { items } = await ask({ task: "zero-shot", texts, labels });

    expect(items.map(([best]) => best?.label)).toEqual(["football", "economy"]);
    for (const scores of items) expect(scores.reduce((sum, { score }) => sum + score, 0)).toBeCloseTo(1, 6);
  });

  test("where several labels may fit, each has its own cosine", async () => {
    const request = { task: "zero-shot", texts, isMultiLabel: true } as const;

    const { items: among } = await ask({ ...request, labels });
    const { items: alone } = await ask({ ...request, labels: ["football"] });

    expect(among[0]?.find(({ label }) => label === "football")).toEqual(alone[0]?.[0]);
    for (const { score } of among.flat()) expect(score).toBeGreaterThanOrEqual(0);
  });

  test("a template is what the label is read in", async () => {
    const asked = { task: "zero-shot", texts, labels } as const;

    const [plain, odd] = await Promise.all([ask(asked), ask({ ...asked, template: "$& {} $1" })]);

    expect(odd.items).not.toEqual(plain.items);
  });
});

test("reranking by likeness puts the document first that answers the query", async () => {
  const documents = ["Bread needs flour, water and salt.", "A weir raises the water level of a river.", "The train leaves at nine."];

  const { scores } = await ask({ task: "rerank", query: "What does a weir do?", documents, overlong: "cut" });

  expect(scores.indexOf(Math.max(...scores))).toBe(1);
  for (const score of scores) expect(Math.abs(score)).toBeLessThanOrEqual(1.000001);
});

describe("keywords", () => {
  test("are phrases of the text that say what it is about, the best first, each once", async () => {
    const { items } = await ask({ task: "keywords", texts: [RIVER, "…"], topK: 4 });

    const [keywords = [], none] = items;
    expect(keywords).toHaveLength(4);
    expect(keywords[0]?.keyword).toMatch(/weir|river/);
    expect(new Set(keywords.map(({ keyword }) => keyword)).size).toBe(4);
    expect(keywords.map(({ score }) => score)).toEqual(keywords.map(({ score }) => score).toSorted((a, b) => b - a));
    for (const { keyword } of keywords) expect(RIVER.toLowerCase().replaceAll(/\s+/g, " ")).toContain(keyword);
    expect(none).toEqual([]);
  });

  test("have as many words as are asked for, and no stop word at either end", async () => {
    const { items } = await ask({ task: "keywords", texts: [RIVER], topK: 50, wordsMin: 3, wordsMax: 3 });

    for (const { keyword } of items[0] ?? []) {
      expect(keyword.split(" ")).toHaveLength(3);
      expect(keyword).not.toMatch(/^(the|a|to|of|is)\b|\b(the|a|to|of|is)$/);
    }
  });

  test("are less alike with more diversity", async () => {
    const rivers = async (diversity: number) => {
      const { items } = await ask({ task: "keywords", texts: [RIVER], topK: 5, diversity });
      return (items[0] ?? []).filter(({ keyword }) => /weir|river/.test(keyword)).length;
    };

    expect(await rivers(0.8)).toBeLessThan(await rivers(0));
  });
});

describe("a summary", () => {
  test("is sentences of the text in their order, where their spans say", async () => {
    const { items } = await ask({ task: "summarize", texts: [RIVER], sentences: 3 });

    const [summary] = items;
    const spans = summary?.sentences ?? [];
    expect(spans).toHaveLength(3);
    expect(summary?.summary).toBe(spans.map(({ start, end }) => RIVER.slice(start, end)).join(" "));
    expect(spans.map(({ start }) => start)).toEqual(spans.map(({ start }) => start).toSorted((a, b) => a - b));
    expect(summary?.summary).not.toContain("My sister");
  });

  test("does not say the same twice", async () => {
    const { items } = await ask({ task: "summarize", texts: [RIVER], sentences: 2 });

    expect(items[0]?.summary.match(/measure/g)?.length ?? 0).toBeLessThanOrEqual(1);
  });

  test("of a text shorter than it is the text", async () => {
    const { items } = await ask({ task: "summarize", texts: ["One. Two.", ""] });

    expect(items.map(({ summary }) => summary)).toEqual(["One. Two.", ""]);
  });
});
