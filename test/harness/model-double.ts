import { createHash } from "node:crypto";
import { Failure } from "../../shared/base/failure.ts";
import type {
  CallLimits,
  GenerationCall,
  InferenceClient,
  InferenceRequest,
  InferenceResult,
  ModelInput,
  TaskRequest,
} from "../../shared/inference/contract.ts";
import { type Generate, runGeneration } from "./generation-double.ts";
import { runTask } from "./task-double.ts";

export const DIMENSIONS = 8;
export const TOKENS_MAX = 16;
export const LABELS = ["NEGATIVE", "NEUTRAL", "POSITIVE"];

type Run = InferenceClient["run"];

/** A pool whose numbers follow from the text alone; it keeps the port's promises and can be told to break them. */
export type ModelDouble = InferenceClient & {
  /** Every request that reached the pool. */
  readonly asked: InferenceRequest[];
  /** What the next call does instead of answering. */
  readonly next: (run: Run) => void;
  /** Every generation that reached the pool. */
  readonly generations: GenerationCall[];
  /** What the next generation does instead of answering. */
  readonly nextGeneration: (generate: Generate) => void;
};

export function createModelDouble(): ModelDouble {
  const asked: InferenceRequest[] = [];
  const nexts: Run[] = [];
  const generations: GenerationCall[] = [];
  const nextGenerations: Generate[] = [];
  return {
    asked,
    next: (run) => nexts.push(run),
    run: async (request, limits) => {
      asked.push(request);
      return (nexts.shift() ?? runModel)(request, limits);
    },
    generations,
    nextGeneration: (generate) => nextGenerations.push(generate),
    generate(call, limits) {
      generations.push(call);
      return (nextGenerations.shift() ?? runGeneration)(call, limits);
    },
  };
}

/** What the double answers to a request. */
export async function runModel({ body, version }: InferenceRequest, _limits?: CallLimits): Promise<InferenceResult> {
  if (body.task === "rerank") return rerank(body);
  if (body.task !== "embed" && body.task !== "classify") return runTask(body);
  const inputTokens = body.inputs.map((input, index) => tokensOf(input, body.overlong, index));
  const timings = { queueMs: 0, runMs: 3.4 };
  if (body.task === "classify") {
    const scores = Float32Array.from(body.inputs.flatMap((input) => softmax(numbersOf(input, version, LABELS.length))));
    return { body: { task: "classify", labels: LABELS, scores }, inputTokens, ...timings };
  }
  const dimensions = body.dimensions ?? DIMENSIONS;
  const vectors = Float32Array.from(
    body.inputs.flatMap((input) => {
      const vector = numbersOf(input, version, DIMENSIONS).slice(0, dimensions);
      return body.normalize === false ? vector : unit(vector);
    }),
  );
  return { body: { task: "embed", vectors, dimensions }, inputTokens, ...timings };
}

/** A document's score is the share of the query's words that it holds. */
function rerank({ query, documents, overlong }: Extract<TaskRequest, { task: "rerank" }>): InferenceResult {
  const words = query.split(/\s+/);
  const scores = documents.map((text) => words.filter((word) => text.includes(word)).length / words.length);
  const inputTokens = documents.map((text, index) => tokensOf({ kind: "text", text: query, textPair: text }, overlong, index));
  return { body: { task: "rerank", scores }, inputTokens, queueMs: 0, runMs: 2.2 };
}

/** Never answers; ends when its caller leaves. */
export const hangs: Run = (_request, { signal }) =>
  new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(new Failure("cancelled", "The caller left.")), { once: true });
  });

export function fails(failure: Failure): Run {
  return async () => {
    throw failure;
  };
}

/** Words and two special tokens; token ids are taken as they are. */
function tokensOf(input: ModelInput, overlong: "refuse" | "cut", index: number): number {
  const count = input.kind === "tokens" ? input.tokenIds.length : `${input.text} ${input.textPair ?? ""}`.trim().split(/\s+/).length + 2;
  if (count <= TOKENS_MAX) return count;
  if (overlong === "cut") return TOKENS_MAX;
  throw new Failure("invalid_request", `input.${index}: has ${count} tokens, the model reads ${TOKENS_MAX}`, { field: `input.${index}` });
}

/** Numbers in (-1, 1) that follow from the input and the version. */
function numbersOf(input: ModelInput, version: number, count: number): number[] {
  const digest = createHash("sha256")
    .update(`${version} ${JSON.stringify(input)}`)
    .digest();
  return Array.from({ length: count }, (_, index) => digest.readInt16LE(index * 2) / 2 ** 15);
}

function unit(vector: readonly number[]): number[] {
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}

function softmax(logits: readonly number[]): number[] {
  const sum = logits.reduce((total, logit) => total + Math.exp(logit), 0);
  return logits.map((logit) => Math.exp(logit) / sum);
}
