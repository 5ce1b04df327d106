import type { Pooling } from "./model-files.ts";
import type { Rows } from "./plan.ts";

/** A text's token vectors → one vector; several poolings are joined (sentence-transformers, `Pooling.forward`). */
export function poolTokens(text: Float32Array, length: number, poolings: readonly Pooling[]): Rows {
  const hidden = text.length / length;
  const values = new Float32Array(hidden * poolings.length);
  poolings.forEach((pooling, index) => {
    values.set(pool(pooling, { text, length }), index * hidden);
  });
  return { values, width: values.length };
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
