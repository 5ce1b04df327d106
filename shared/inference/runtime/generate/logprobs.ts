import { Failure } from "../../../base/failure.ts";

export type Ranked = { readonly token: number; readonly logprob: number };

/** The natural logarithm of the sum of all exponentials: what turns a logit into a log-probability. */
export function logSumExp(logits: Float32Array): number {
  let most = Number.NEGATIVE_INFINITY;
  for (const logit of logits) if (logit > most) most = logit;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - most);
  return most + Math.log(sum);
}

/** The `count` likeliest tokens, the best first; of equals the lower id. */
export function rankTokens(logits: Float32Array, count: number, normalizer: number): Ranked[] {
  const best: { token: number; logit: number }[] = [];
  for (let token = 0; token < logits.length && count > 0; token += 1) {
    const logit = logits[token] ?? Number.NEGATIVE_INFINITY;
    if (best.length === count && logit <= (best.at(-1)?.logit ?? Number.NEGATIVE_INFINITY)) continue;
    const place = best.findIndex((other) => logit > other.logit);
    best.splice(place < 0 ? best.length : place, 0, { token, logit });
    if (best.length > count) best.pop();
  }
  return best.map(({ token, logit }) => ({ token, logprob: logit - normalizer }));
}

/** Fails with `engine_failed` for a row that no token can be drawn from: drawing one all the same would look like an answer. */
export function checkLogits(logits: Float32Array): void {
  let most = Number.NEGATIVE_INFINITY;
  // What is no number stays none in a sum; tokens that a graph rules out (-Infinity) may be in it.
  let sum = 0;
  for (let at = 0; at < logits.length; at += 1) {
    const logit = logits[at] ?? Number.NaN;
    if (logit > most) most = logit;
    sum += logit;
  }
  if (Number.isNaN(sum) || !Number.isFinite(most)) throw new Failure("engine_failed", "The model's logits are not finite.");
}
