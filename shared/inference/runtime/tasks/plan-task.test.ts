import { beforeAll, describe, expect, test } from "vitest";
import { readTaskModel } from "../../../../test/harness/task-model.ts";
import type { TaskModel } from "../plan.ts";
import { LABELS_MAX, MASKS_MAX, PLANNED_INPUTS_MAX, SEGMENTED_CHARS_MAX, TARGETS_MAX } from "./limits.ts";
import { planTask, type TextTaskRequest } from "./plan-task.ts";

let models: Readonly<Record<"embed" | "tag" | "answer" | "fill" | "detect" | "nli", TaskModel>>;
beforeAll(async () => {
  models = {
    embed: await readTaskModel("tiny-bert-embed", { head: "embed", dimensions: 48 }),
    tag: await readTaskModel("tiny-bert-ner", { head: "tag", labels: ["O", "B-PER"] }),
    answer: await readTaskModel("tiny-bert-qa", { head: "answer" }),
    fill: await readTaskModel("tiny-bert-mlm", { head: "fill" }),
    detect: await readTaskModel("tiny-electra-rtd", { head: "detect" }),
    nli: await readTaskModel("tiny-roberta-nli", { head: "classify", labels: ["contradiction", "neutral", "entailment"] }),
  };
});

const LONG = "word ".repeat(100);
const asked = [{ question: "Who?", context: "Ada." }];

describe("bad input is refused with the field", () => {
  test.each<[string, keyof typeof models, TextTaskRequest, string]>([
    ["a task of another head", "fill", { task: "embed", inputs: [], overlong: "cut" }, "model"],
    ["a text without a mask", "fill", { task: "fill", texts: ["[MASK]", "none"] }, "texts.1"],
    ["too many masks", "fill", { task: "fill", texts: ["[MASK] ".repeat(MASKS_MAX + 1)] }, "texts.0"],
    ["a masked text that is too long", "fill", { task: "fill", texts: ["[MASK]", `[MASK] ${LONG}`] }, "texts.1"],
    ["no fillings", "fill", { task: "fill", texts: ["[MASK]"], topK: 0 }, "topK"],
    ["no target that can be written", "fill", { task: "fill", texts: ["[MASK]"], targets: [""] }, "targets"],
    ["too many targets", "fill", { task: "fill", texts: ["[MASK]"], targets: new Array(TARGETS_MAX + 1).fill("a") }, "targets"],
    ["fillings without end", "fill", { task: "fill", texts: new Array(30).fill("[MASK]"), topK: 1000 }, "topK"],
    ["a stride as long as a window", "tag", { task: "tag", texts: ["a"], aggregation: "simple", stride: 64 }, "stride"],
    ["more answers than are compared", "answer", { task: "answer", questions: asked, topK: 101 }, "topK"],
    ["half a stride", "tag", { task: "tag", texts: ["a"], aggregation: "simple", stride: 1.5 }, "stride"],
    ["no context", "answer", { task: "answer", questions: [...asked, { question: "Who?", context: "" }] }, "questions.1.context"],
    ["no question", "answer", { task: "answer", questions: [{ question: "", context: "Ada." }] }, "questions.0.question"],
    ["no answers", "answer", { task: "answer", questions: asked, topK: 0 }, "topK"],
    ["answers of no length", "answer", { task: "answer", questions: asked, answerTokensMax: 0 }, "answerTokensMax"],
    ["windows that share all", "answer", { task: "answer", questions: asked, tokensMax: 32, docStride: 33 }, "docStride"],
    ["a text that is too long to detect in", "detect", { task: "detect", texts: ["a", LONG] }, "texts.1"],
    ["no labels", "nli", { task: "zero-shot", texts: ["a"], labels: [] }, "labels"],
    ["too many labels", "nli", { task: "zero-shot", texts: ["a"], labels: new Array(LABELS_MAX + 1).fill("b") }, "labels"],
    ["too many pairs", "nli", { task: "zero-shot", texts: new Array(PLANNED_INPUTS_MAX).fill("a"), labels: ["b", "c"] }, "labels"],
    ["a template without a place for the label", "nli", { task: "zero-shot", texts: ["a"], labels: ["b"], template: "It is." }, "template"],
    ["a label that leaves no room", "nli", { task: "zero-shot", texts: ["a"], labels: ["b", LONG] }, "labels.1"],
    ["documents that are too long", "embed", { task: "rerank", query: "a", documents: ["b", LONG], overlong: "refuse" }, "documents.1"],
    ["a query that is too long", "embed", { task: "rerank", query: LONG, documents: ["b"], overlong: "refuse" }, "query"],
    ["diversity above 1", "embed", { task: "keywords", texts: ["a"], diversity: 1.1 }, "diversity"],
    ["diversity that is no number", "embed", { task: "keywords", texts: ["a"], diversity: Number.NaN }, "diversity"],
    ["phrases that end before they begin", "embed", { task: "keywords", texts: ["a"], wordsMin: 3, wordsMax: 2 }, "wordsMax"],
    ["a text too long to look through", "embed", { task: "keywords", texts: ["a".repeat(SEGMENTED_CHARS_MAX + 1)] }, "texts.0"],
    ["too many candidates", "embed", { task: "keywords", texts: [distinctWords(PLANNED_INPUTS_MAX)] }, "texts"],
    ["too many sentences", "embed", { task: "summarize", texts: ["Yes. ".repeat(PLANNED_INPUTS_MAX + 1)] }, "texts"],
    ["a summary of nothing", "embed", { task: "summarize", texts: ["Yes."], sentences: 0 }, "sentences"],
  ])("%s", async (_, model, request, field) => {
    await expect(planTask(request, models[model])).rejects.toMatchObject({ code: "invalid_request", field });
  });
});

test("a text that leaves no tokens is refused; where a template remains, it is read", async () => {
  const decoder = await readTaskModel("tiny-gpt2-classify", { head: "classify", labels: ["a", "b", "c"] });
  const inputs = ["a", ""].map((text) => ({ kind: "text", text }) as const);

  await expect(planTask({ task: "classify", inputs, overlong: "cut" }, decoder)).rejects.toMatchObject({
    code: "invalid_request",
    field: "input.1",
  });
  expect((await planTask({ task: "embed", inputs, overlong: "cut" }, models.embed)).inputTokens).toEqual([3, 2]);
});

test("numbers that are none fail their own request", async () => {
  const { finish } = await planTask({ task: "embed", inputs: [{ kind: "text", text: "a" }], overlong: "cut" }, models.embed);

  expect(() => finish([{ values: Float32Array.of(1, Number.NaN), width: 2 }])).toThrow(expect.objectContaining({ code: "engine_failed" }));
  expect(() => finish([])).toThrow(/1 inputs were planned, and 0 have rows/);
});

test("a task that the version does not do is refused with those that it does", async () => {
  const request: TextTaskRequest = { task: "tag", texts: [], aggregation: "none" };

  await expect(planTask(request, models.nli)).rejects.toThrow("The model does classify, zero-shot, forward, not tag.");
});

describe("what a plan runs", () => {
  test("of fill-mask is the masks' rows only", async () => {
    const { inputs } = await planTask({ task: "fill", texts: ["[MASK] a [MASK]"] }, models.fill);

    expect(inputs.map(({ keep }) => keep && [...keep])).toEqual([[1, 3]]);
  });

  test("of zero-shot is every text with every label, counted with its text", async () => {
    const { inputs, inputTokens } = await planTask({ task: "zero-shot", texts: ["a", "b"], labels: ["x", "y", "z"] }, models.nli);

    expect(inputs).toHaveLength(6);
    expect(inputTokens).toEqual([sum(inputs.slice(0, 3)), sum(inputs.slice(3))]);
  });

  test("of likeness reads what all texts share once, and counts it with the first", async () => {
    const zeroShot = await planTask({ task: "zero-shot", texts: ["a", "a"], labels: ["x", "y"] }, models.embed);
    const rerank = await planTask({ task: "rerank", query: "a", documents: ["b", "b"], overlong: "cut" }, models.embed);

    expect([zeroShot.inputs.length, rerank.inputs.length]).toEqual([4, 3]);
    for (const { inputs, inputTokens } of [zeroShot, rerank]) {
      expect(inputTokens[0]).toBeGreaterThan(inputTokens[1] ?? 0);
      expect(inputTokens.reduce((total, tokens) => total + tokens, 0)).toBe(sum(inputs));
    }
  });

  test("of a long text is windows, all counted with it", async () => {
    const tag = await planTask({ task: "tag", texts: [LONG, "a"], aggregation: "simple" }, models.tag);
    const answer = await planTask({ task: "answer", questions: [{ question: "Who?", context: LONG }] }, models.answer);

    expect(tag.inputs.length).toBeGreaterThan(3);
    expect(tag.inputTokens).toEqual([sum(tag.inputs.slice(0, -1)), 3]);
    expect(answer.inputTokens).toEqual([sum(answer.inputs)]);
    for (const { ids } of [...tag.inputs, ...answer.inputs]) expect(ids.length).toBeLessThanOrEqual(64);
  });

  test("of nothing is nothing", async () => {
    const plans = await Promise.all([
      planTask({ task: "embed", inputs: [], overlong: "cut" }, models.embed),
      planTask({ task: "tag", texts: [], aggregation: "average" }, models.tag),
      planTask({ task: "answer", questions: [] }, models.answer),
      planTask({ task: "fill", texts: [] }, models.fill),
      planTask({ task: "summarize", texts: [] }, models.embed),
    ]);

    for (const { inputs, inputTokens, finish } of plans) {
      expect([inputs, inputTokens]).toEqual([[], []]);
      await finish([]);
    }
  });

  test("of a text without words or sentences has no keywords and no summary", async () => {
    const row = { values: Float32Array.of(1, 0), width: 2 };
    const keywords = await planTask({ task: "keywords", texts: ["…"] }, models.embed);
    const summary = await planTask({ task: "summarize", texts: [" "] }, models.embed);

    expect(await keywords.finish([row])).toEqual({ task: "keywords", items: [[]] });
    expect(await summary.finish([])).toEqual({ task: "summarize", items: [{ summary: "", sentences: [] }] });
  });
});

test("a caller who left is not worked for", async () => {
  const left = AbortSignal.abort();

  await expect(planTask({ task: "tag", texts: ["a"], aggregation: "simple" }, models.tag, left)).rejects.toMatchObject({
    code: "cancelled",
  });
});

const sum = (inputs: readonly { readonly ids: Int32Array }[]) => inputs.reduce((total, { ids }) => total + ids.length, 0);

function distinctWords(count: number): string {
  return Array.from({ length: count }, (_, index) => `w${index}`).join(" ");
}
