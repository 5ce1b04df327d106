import type { InferenceResult, NamedTensor, TaskRequest, TaskResult } from "../../shared/inference/contract.ts";

type TaskOf<T extends TaskRequest["task"]> = Extract<TaskRequest, { task: T }>;
export type DoubledTask = Exclude<TaskRequest, { task: "embed" | "classify" | "rerank" }>;

/** What the double answers to tasks whose results are not numbers alone: words that begin with a capital are what it looks for. */
export function runTask(body: DoubledTask): InferenceResult {
  const texts = "texts" in body ? body.texts : "questions" in body ? body.questions.map(({ context }) => context) : ["a graph"];
  return { body: resultOf(body), inputTokens: texts.map((text) => text.split(/\s+/).length + 2), queueMs: 0.5, runMs: 4.2 };
}

function resultOf(body: DoubledTask): TaskResult {
  switch (body.task) {
    case "tag":
      return { task: "tag", items: body.texts.map((text) => capitals(text).map((word) => ({ ...word, label: "NAME", score: 0.75 }))) };
    case "answer":
      return { task: "answer", items: body.questions.map((each) => answers(each.context, body)) };
    case "fill":
      return { task: "fill", items: body.texts.map((text) => fills(text, body)) };
    case "zero-shot":
      return { task: "zero-shot", items: body.texts.map((text) => ranking(text, body)) };
    case "detect":
      return {
        task: "detect",
        items: body.texts.map((text) => capitals(text).map(({ word, ...at }, index) => ({ ...at, index, token: word, score: 0.5 }))),
      };
    case "keywords":
      return {
        task: "keywords",
        items: body.texts.map((text) =>
          capitals(text)
            .slice(0, body.topK)
            .map(({ word }) => ({ keyword: word, score: 0.5 })),
        ),
      };
    case "summarize":
      return { task: "summarize", items: body.texts.map((text) => summaryOf(text, body)) };
    case "forward":
      return { task: "forward", tensors: forward(body) };
  }
}

function capitals(text: string) {
  return [...text.matchAll(/\p{Lu}\w*/gu)].map((match) => ({ word: match[0], start: match.index, end: match.index + match[0].length }));
}

function answers(context: string, { topK = 1 }: TaskOf<"answer">) {
  return capitals(context)
    .slice(0, topK)
    .map(({ word, ...at }, rank) => ({ ...at, answer: word, score: 0.9 / (rank + 1) }));
}

/** One place for each `[MASK]`. */
function fills(text: string, { topK = 5, targets = ["river", "sea"] }: TaskOf<"fill">) {
  return Array.from({ length: text.split("[MASK]").length - 1 }, () =>
    targets
      .slice(0, topK)
      .map((tokenText, rank) => ({ score: 0.5 / (rank + 1), token: rank, tokenText, sequence: text.replace("[MASK]", tokenText) })),
  );
}

/** Labels that the text holds come first. */
function ranking(text: string, { labels }: TaskOf<"zero-shot">) {
  return labels.map((label) => ({ label, score: text.includes(label) ? 0.75 : 0.25 })).sort((a, b) => b.score - a.score);
}

function summaryOf(text: string, { sentences = 3 }: TaskOf<"summarize">) {
  const spans = [...text.matchAll(/[^.]+\./gu)].map((match) => ({ start: match.index, end: match.index + match[0].length, score: 0.5 }));
  const kept = spans.slice(0, sentences);
  return { summary: kept.map(({ start, end }) => text.slice(start, end).trim()).join(" "), sentences: kept };
}

/** `x…` comes back as `y…`; of token ids come logits, three a row, that say the row's first id. */
function forward({ tensors, outputs }: TaskOf<"forward">): NamedTensor[] {
  const echoes = tensors.filter(({ name }) => name.startsWith("x")).map((tensor) => ({ ...tensor, name: `y${tensor.name.slice(1)}` }));
  const ids = tensors.find(({ name }) => name === "input_ids");
  const all = ids === undefined ? echoes : [...echoes, logitsOf(ids)];
  return all.filter(({ name }) => outputs === undefined || outputs.includes(name));
}

function logitsOf({ bytes, shape: [rows = 0, width = 0] }: NamedTensor): NamedTensor {
  const ids = new BigInt64Array(bytes.slice().buffer);
  const logits = Float32Array.from({ length: rows * 3 }, (_, place) => Number(ids[Math.floor(place / 3) * width] ?? 0n) + (place % 3) / 4);
  return { name: "logits", type: "float32", shape: [rows, 3], bytes: new Uint8Array(logits.buffer) };
}
