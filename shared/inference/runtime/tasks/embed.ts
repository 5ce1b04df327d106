import { Failure } from "../../../base/failure.ts";
import type { TaskRequest, TaskResult } from "../../contract.ts";
import type { Rows } from "../forward.ts";
import type { ModelSettings, Pooling } from "../model-files.ts";
import type { Output } from "../session.ts";

type EmbedRequest = Extract<TaskRequest, { task: "embed" }>;

/** torch's `F.normalize`: a vector of zeros stays one. */
const NORM_MIN = 1e-12;

/** `[batch, sequence, hidden]` → one vector a text; several poolings are joined (sentence-transformers, `Pooling.forward`). */
export function poolTokens(tokens: Output, lengths: readonly number[], poolings: readonly Pooling[]): Rows {
  const [, sequence = 0, hidden = 0] = tokens.dims;
  const width = hidden * poolings.length;
  const values = new Float32Array(lengths.length * width);
  lengths.forEach((length, row) => {
    const text = tokens.data.subarray(row * sequence * hidden, (row * sequence + length) * hidden);
    poolings.forEach((pooling, index) => {
      values.set(pool(pooling, { text, length }), row * width + index * hidden);
    });
  });
  return { values, width };
}

/** Turns pooled vectors into an answer: the first `dimensions` elements, then length 1 if the model or the caller says so. */
export function finishEmbed(rows: Rows, request: EmbedRequest, settings: ModelSettings): TaskResult {
  const dimensions = request.dimensions ?? rows.width;
  checkDimensions(dimensions, rows.width);
  const vectors = dimensions === rows.width ? rows.values : firstElements(rows, dimensions);
  if (request.normalize ?? settings.isNormalized) normalizeRows(vectors, dimensions);
  return { task: "embed", vectors, dimensions };
}

export function checkDimensions(dimensions: number, most: number): void {
  if (dimensions > most)
    throw new Failure("invalid_request", `The model's vectors have ${most} elements, fewer than ${dimensions}.`, { field: "dimensions" });
}

type Text = { readonly text: Float32Array; readonly length: number };

/** One text's token vectors, one after the other; the padding is not among them, so no mask is needed. */
function pool(pooling: Pooling, { text, length }: Text): Float32Array {
  const hidden = text.length / length;
  switch (pooling) {
    case "cls":
      return text.subarray(0, hidden);
    case "lasttoken":
      return text.subarray((length - 1) * hidden);
    case "max":
      return largestOf(text, hidden);
    case "mean":
      return weightedSum(text, { hidden, weightOf: () => 1 / length });
    case "mean_sqrt_len":
      return weightedSum(text, { hidden, weightOf: () => 1 / Math.sqrt(length) });
    case "weightedmean":
      // Token n of N weighs n, so that later tokens, which have seen more, count more (SGPT).
      return weightedSum(text, { hidden, weightOf: (token) => (2 * (token + 1)) / (length * (length + 1)) });
  }
}

function largestOf(text: Float32Array, hidden: number): Float32Array {
  const largest = text.slice(0, hidden);
  for (let at = hidden; at < text.length; at += 1) largest[at % hidden] = Math.max(largest[at % hidden] ?? 0, text[at] ?? 0);
  return largest;
}

function weightedSum(text: Float32Array, by: { hidden: number; weightOf: (token: number) => number }): Float32Array {
  const sums = new Float64Array(by.hidden);
  for (let start = 0, token = 0; start < text.length; start += by.hidden, token += 1) {
    const weight = by.weightOf(token);
    for (let at = 0; at < by.hidden; at += 1) sums[at] = (sums[at] ?? 0) + weight * (text[start + at] ?? 0);
  }
  return Float32Array.from(sums);
}

function firstElements({ values, width }: Rows, dimensions: number): Float32Array {
  const cut = new Float32Array((values.length / width) * dimensions);
  for (let row = 0; row * width < values.length; row += 1)
    cut.set(values.subarray(row * width, row * width + dimensions), row * dimensions);
  return cut;
}

function normalizeRows(vectors: Float32Array, dimensions: number): void {
  for (let start = 0; start < vectors.length; start += dimensions) {
    const vector = vectors.subarray(start, start + dimensions);
    const norm = Math.max(NORM_MIN, Math.sqrt(vector.reduce((sum, element) => sum + element * element, 0)));
    for (let at = 0; at < vector.length; at += 1) vector[at] = (vector[at] ?? 0) / norm;
  }
}
