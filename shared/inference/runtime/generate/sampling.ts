import { Failure } from "../../../base/failure.ts";
import type { Sampling } from "../../generation.ts";

/** How one order draws, every field decided. */
export type SamplingRules = {
  readonly temperature: number;
  /** 0 is no limit. */
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly repetitionPenalty: number;
  readonly presencePenalty: number;
  readonly frequencyPenalty: number;
  readonly bias: ReadonlyMap<number, number>;
};

/** What was said so far: tokens of prompt and answer, and how often the answer drew each. */
export type Said = { readonly seen: ReadonlySet<number>; readonly counts: ReadonlyMap<number, number> };

/** Bit `token & 31` of word `token >> 5` says whether a token may be drawn. */
export type TokenMask = Uint32Array | Int32Array;

const TOP_K_MAX = 1_000_000;
const BIASES_MAX = 1_024;
const GREEDY = 0;
/** The nucleus is searched among tokens that are not this much less likely than the likeliest, then among more of them: sorting all would cost milliseconds. */
const NUCLEUS_STEP = 1e-3;
const NUCLEUS_FLOOR = 1e-30;

/** The caller's wishes over the model's own (generation_config.json). Fails with `invalid_request`, naming the field. */
export function resolveSampling(asked: Sampling, defaults: Sampling, vocabularySize: number): SamplingRules {
  const rule = (field: keyof Sampling & keyof typeof RANGES): number => {
    const { least, most, otherwise } = RANGES[field];
    const value = asked[field] ?? defaults[field] ?? otherwise;
    if (value >= least && value <= most) return value;
    throw new Failure("invalid_request", `${field} is ${value}; it must be ${least} to ${most}.`, { field });
  };
  const topK = rule("topK");
  if (!Number.isInteger(topK)) throw new Failure("invalid_request", "topK must be a whole number.", { field: "topK" });
  return {
    temperature: rule("temperature"),
    topK: topK,
    topP: rule("topP"),
    minP: rule("minP"),
    repetitionPenalty: rule("repetitionPenalty"),
    presencePenalty: rule("presencePenalty"),
    frequencyPenalty: rule("frequencyPenalty"),
    bias: biasOf(asked.logitBias ?? defaults.logitBias ?? {}, vocabularySize),
  };
}

const RANGES = {
  temperature: { least: 0, most: 2, otherwise: 1 },
  topK: { least: 0, most: TOP_K_MAX, otherwise: 0 },
  topP: { least: 0, most: 1, otherwise: 1 },
  minP: { least: 0, most: 1, otherwise: 0 },
  repetitionPenalty: { least: 0.01, most: 100, otherwise: 1 },
  presencePenalty: { least: -2, most: 2, otherwise: 0 },
  frequencyPenalty: { least: -2, most: 2, otherwise: 0 },
} as const;

function biasOf(asked: Readonly<Record<string, number>>, vocabularySize: number): ReadonlyMap<number, number> {
  const entries = Object.entries(asked);
  const refuse = (why: string) => new Failure("invalid_request", `logitBias ${why}.`, { field: "logitBias" });
  if (entries.length > BIASES_MAX) throw refuse(`has ${entries.length} entries; ${BIASES_MAX} at most`);
  return new Map(
    entries.map(([key, value]) => {
      const token = Number(key);
      if (!/^\d+$/.test(key) || token >= vocabularySize) throw refuse(`names ${key}, which is no token of the model`);
      if (!(value >= -100 && value <= 100)) throw refuse(`of ${key} must be -100 to 100`);
      return [token, value] as const;
    }),
  );
}

/**
 * Changes a row of logits to the scores that are drawn from, in this order: logit_bias (OpenAI); repetition penalty (CTRL; transformers,
 * `RepetitionPenaltyLogitsProcessor`); presence and frequency penalties (OpenAI); the grammar's mask.
 */
export function adjustLogits(logits: Float32Array, rules: SamplingRules, said: Said, mask?: TokenMask): Float32Array {
  for (const [token, value] of rules.bias) logits[token] = (logits[token] ?? 0) + value;
  if (rules.repetitionPenalty !== 1) {
    for (const token of said.seen) {
      const score = logits[token] ?? 0;
      logits[token] = score < 0 ? score * rules.repetitionPenalty : score / rules.repetitionPenalty;
    }
  }
  if (rules.presencePenalty !== 0 || rules.frequencyPenalty !== 0) {
    for (const [token, count] of said.counts) logits[token] = (logits[token] ?? 0) - rules.presencePenalty - rules.frequencyPenalty * count;
  }
  if (mask !== undefined) {
    for (let token = 0; token < logits.length; token += 1)
      if ((((mask[token >>> 5] ?? 0) >>> (token & 31)) & 1) === 0) logits[token] = Number.NEGATIVE_INFINITY;
  }
  return logits;
}

/** Whether adjusting would change anything: a row of 50,000 logits is not copied for nothing. */
export function adjusts(rules: SamplingRules): boolean {
  return rules.bias.size > 0 || rules.repetitionPenalty !== 1 || rules.presencePenalty !== 0 || rules.frequencyPenalty !== 0;
}

/**
 * Draws a token from scores: temperature, top_k, top_p, min_p, in transformers' order and with its rules (`TopKLogitsWarper` keeps ties,
 * `TopPLogitsWarper` keeps the token that crosses the line). `random` gives a number in [0, 1) and is not asked when drawing is greedy.
 */
export function drawToken(scores: Float32Array, rules: SamplingRules, random: () => number): number {
  const best = argmax(scores);
  if (rules.temperature === GREEDY || rules.topK === 1) return best;
  const weights = weightsOf(scores, scores[best] ?? 0, rules.temperature);
  // Weights of 1 belong to the likeliest tokens, so each rule is a least weight.
  if (rules.topK > 0 && rules.topK < weights.length) dropBelow(weights, nthLargest(weights, rules.topK));
  if (rules.topP < 1) keepNucleus(weights, rules.topP);
  if (rules.minP > 0) dropBelow(weights, rules.minP);
  return drawWeighted(weights, random()) ?? best;
}

/** The first of the largest. */
export function argmax(values: Float32Array): number {
  let best = 0;
  let most = values[0] ?? Number.NEGATIVE_INFINITY;
  for (let at = 1; at < values.length; at += 1) {
    const value = values[at] ?? Number.NEGATIVE_INFINITY;
    if (value > most) {
      most = value;
      best = at;
    }
  }
  return best;
}

function weightsOf(scores: Float32Array, most: number, temperature: number): Float64Array {
  const weights = new Float64Array(scores.length);
  for (let at = 0; at < scores.length; at += 1) weights[at] = Math.exp(((scores[at] ?? 0) - most) / temperature);
  return weights;
}

function dropBelow(weights: Float64Array, least: number): void {
  for (let at = 0; at < weights.length; at += 1) if ((weights[at] ?? 0) < least) weights[at] = 0;
}

/** Hoare's selection: the value that `count - 1` others are above or equal to. */
function nthLargest(values: Float64Array, count: number): number {
  const pool = values.slice();
  let [low, high] = [0, pool.length - 1];
  const target = count - 1;
  while (low < high) {
    const pivot = pool[(low + high) >>> 1] ?? 0;
    let [left, right] = [low, high];
    while (left <= right) {
      while ((pool[left] ?? 0) > pivot) left += 1;
      while ((pool[right] ?? 0) < pivot) right -= 1;
      if (left > right) break;
      const swapped = pool[left] ?? 0;
      pool[left] = pool[right] ?? 0;
      pool[right] = swapped;
      left += 1;
      right -= 1;
    }
    if (target <= right) high = right;
    else if (target >= left) low = left;
    else break;
  }
  return pool[target] ?? 0;
}

/** Keeps the fewest likeliest tokens whose probabilities reach `topP`; at least one. */
function keepNucleus(weights: Float64Array, topP: number): void {
  const wanted = topP * weights.reduce((sum, weight) => sum + weight, 0);
  for (let floor = NUCLEUS_STEP; ; floor *= NUCLEUS_STEP) {
    const isLast = floor < NUCLEUS_FLOOR;
    const tokens = tokensAbove(weights, isLast ? 0 : floor).sort((a, b) => (weights[b] ?? 0) - (weights[a] ?? 0) || a - b);
    const kept = nucleusSize(tokens, weights, wanted);
    if (kept === undefined && !isLast) continue;
    const keeps = new Map(tokens.slice(0, kept).map((token) => [token, weights[token] ?? 0]));
    weights.fill(0);
    for (const [token, weight] of keeps) weights[token] = weight;
    return;
  }
}

function tokensAbove(weights: Float64Array, floor: number): number[] {
  const tokens: number[] = [];
  for (let token = 0; token < weights.length; token += 1) if ((weights[token] ?? 0) > floor) tokens.push(token);
  return tokens;
}

function nucleusSize(tokens: readonly number[], weights: Float64Array, wanted: number): number | undefined {
  let sum = 0;
  for (const [index, token] of tokens.entries()) {
    sum += weights[token] ?? 0;
    if (sum >= wanted) return index + 1;
  }
  return undefined;
}

/** Undefined only if rounding left `at` beyond the last weight. */
function drawWeighted(weights: Float64Array, at: number): number | undefined {
  let left = at * weights.reduce((sum, weight) => sum + weight, 0);
  for (let token = 0; token < weights.length; token += 1) {
    const weight = weights[token] ?? 0;
    if (weight > 0 && left < weight) return token;
    left -= weight;
  }
  return undefined;
}
