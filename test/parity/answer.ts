import type { TaskResult } from "../../shared/inference/contract.ts";

/** What one input was answered, apart: numbers that may differ a little, and all else, which may not. */
export type Answer = { readonly numbers: readonly number[]; readonly exact: unknown };

/**
 * The same of a reference. Raw logits have no bound, so above 1 their difference counts by their size: a random fixture's graph is 1.35e-4 away from
 * PyTorch at a logit of 5.08 in ONNX Runtime itself, with all optimisations off.
 */
export type Reference = Answer & { readonly isLogits?: boolean };

export type Comparison = { readonly deltaMax: number; readonly isExact: boolean };

/** Of each input of a request. */
export function answersOf(result: TaskResult): Answer[] {
  switch (result.task) {
    case "embed":
      return rowsOf(result.vectors, result.dimensions).map((numbers) => ({ numbers, exact: numbers.length }));
    case "classify":
      return rowsOf(result.scores, result.labels.length).map((scores) =>
        rankedAnswer(scores.map((score, at) => ({ label: result.labels[at], score }))),
      );
    case "rerank":
      return result.scores.map((score) => ({ numbers: [score], exact: null }));
    case "fill":
      return result.items.map((masks) => scoredAnswer(masks.flat(), ({ token, tokenText, sequence }) => [token, tokenText, sequence]));
    case "tag":
      return result.items.map((tagged) =>
        scoredAnswer(tagged, ({ label, word, start, end, index }) => [label, word, start, end, index ?? null]),
      );
    case "answer":
      return result.items.map((answers) => scoredAnswer(answers, ({ answer, start, end }) => [answer, start, end]));
    case "detect":
      return result.items.map((tokens) => scoredAnswer(tokens, ({ token }) => token));
    case "zero-shot":
      return result.items.map((labels) => scoredAnswer(labels, ({ label }) => label));
    case "keywords":
    case "summarize":
    case "forward":
      throw new Error(`no reference answers ${result.task}`);
  }
}

export function scoredAnswer<Item extends { readonly score: number }>(items: readonly Item[], exactOf: (item: Item) => unknown): Answer {
  return { numbers: items.map(({ score }) => score), exact: items.map(exactOf) };
}

/** Labels with the highest score first, as references list them. */
export function rankedAnswer(scores: readonly { readonly label: string | undefined; readonly score: number }[]): Answer {
  return scoredAnswer(
    scores.toSorted((a, b) => b.score - a.score),
    ({ label }) => label,
  );
}

/** Answers of different lengths, and numbers that are none, differ without bound. */
export function compare(answer: Answer, expected: Reference): Comparison {
  const isExact = JSON.stringify(answer.exact) === JSON.stringify(expected.exact);
  if (answer.numbers.length !== expected.numbers.length) return { deltaMax: Number.POSITIVE_INFINITY, isExact };
  const deltas = answer.numbers.map((number, at) => differenceOf(number, expected.numbers[at] ?? Number.NaN, expected.isLogits));
  return {
    deltaMax: deltas.reduce((most, delta) => (delta <= most ? most : Number.isNaN(delta) ? Number.POSITIVE_INFINITY : delta), 0),
    isExact,
  };
}

function differenceOf(number: number, expected: number, isLogits = false): number {
  const difference = Math.abs(number - expected);
  return isLogits ? difference / Math.max(1, Math.abs(expected)) : difference;
}

function rowsOf(values: Float32Array, width: number): number[][] {
  return Array.from({ length: width === 0 ? 0 : values.length / width }, (_, row) => [...values.subarray(row * width, (row + 1) * width)]);
}
