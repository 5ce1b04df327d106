import { createHash } from "node:crypto";
import { Failure } from "../../shared/base/failure.ts";
import type { CallLimits, InferenceClient, InferenceRequest, InferenceResult, ModelInput } from "../../shared/inference/contract.ts";

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
};

export function createModelDouble(): ModelDouble {
  const asked: InferenceRequest[] = [];
  const nexts: Run[] = [];
  return {
    asked,
    next: (run) => nexts.push(run),
    run: async (request, limits) => {
      asked.push(request);
      return (nexts.shift() ?? runModel)(request, limits);
    },
  };
}

/** What the double answers to a request. */
export async function runModel({ body, version }: InferenceRequest, _limits?: CallLimits): Promise<InferenceResult> {
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
