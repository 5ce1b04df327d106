import { Failure } from "../../../base/failure.ts";
import type { GenerateEvent, GenerateRequest, Sampling } from "../../generation.ts";
import { resolveSampling, type SamplingRules, type TokenMask } from "./sampling.ts";

/** One request, its prompts tokenised already. */
export type GenerateOrder = Pick<
  GenerateRequest,
  "n" | "maxTokens" | "sampling" | "stop" | "topLogprobs" | "echo" | "format" | "withinMs"
> & {
  readonly id: string;
  readonly prompts: readonly Int32Array[];
  /** When its caller gives up, by the generator's clock; absent, never. */
  readonly deadlineAtMs?: number;
};

/** Where an order's answer goes: events in order, and at most one failure, after which nothing comes. */
export type OrderSink = { readonly event: (event: GenerateEvent) => void; readonly fail: (failure: Failure) => void };

/** Follows one choice through a grammar. */
export type Matcher = {
  /** Which tokens may come next; the model's end is not the grammar's business. */
  readonly allowed: () => TokenMask;
  readonly accept: (token: number) => void;
  /** Whether the answer may end here. */
  readonly isComplete: () => boolean;
};

/** What an order is measured by. */
export type OrderBounds = {
  /** Tokens of prompt and answer that the model reads. */
  readonly contextTokensMax: number;
  readonly vocabSize: number;
  /** Choices of one prompt: they run side by side. */
  readonly rowsMax: number;
  /** Choices of all prompts: what the waiting line can hold. */
  readonly choicesMax: number;
  /** New tokens of all choices of an order together. */
  readonly orderTokensMax: number;
};

/** What an order says, with every default in its place. */
export type OrderPlan = { readonly rules: SamplingRules; readonly maxTokens: readonly number[] };

export const STOPS_MAX = 16;
export const STOP_LENGTH_MAX = 1_000;
export const TOP_LOGPROBS_MAX = 20;
export const PROMPTS_MAX = 2_048;

/** An order that has waited for so long: the time in which it has to end has gone on. */
export function startingAfter(waitedMs: number, order: GenerateOrder): GenerateOrder {
  return order.withinMs === undefined ? order : { ...order, withinMs: Math.max(1, order.withinMs - waitedMs) };
}

/** Checks an order and decides its defaults: new tokens of each prompt's choices, and how they are drawn. Fails with `invalid_request` and the field. */
export function planOrder(order: GenerateOrder, defaults: Sampling, bounds: OrderBounds): OrderPlan {
  checkCounts(order, bounds);
  checkStops(order.stop);
  for (const [at, prompt] of order.prompts.entries()) checkPrompt(prompt, `prompts.${at}`, bounds);
  const choices = order.prompts.length * order.n;
  const share = Math.floor(bounds.orderTokensMax / choices);
  if ((order.maxTokens ?? 1) * choices > bounds.orderTokensMax)
    throw refuse(
      "maxTokens",
      `${choices} choices of ${order.maxTokens ?? 1} tokens are more than the ${bounds.orderTokensMax} of one request`,
    );
  return {
    rules: resolveSampling(order.sampling, defaults, bounds.vocabSize),
    maxTokens: order.prompts.map((prompt) => maxTokensOf(prompt.length, order, { ...bounds, share })),
  };
}

function checkCounts({ prompts, n, maxTokens, echo, topLogprobs }: GenerateOrder, { rowsMax, choicesMax }: OrderBounds): void {
  if (prompts.length === 0 || prompts.length > PROMPTS_MAX) throw refuse("prompts", `there must be 1 to ${PROMPTS_MAX} prompts`);
  if (!Number.isInteger(n) || n < 1 || n > rowsMax) throw refuse("n", `n must be 1 to ${rowsMax}`);
  if (prompts.length * n > choicesMax)
    throw refuse("prompts", `${prompts.length} prompts of ${n} choices are more than the ${choicesMax} of one request`);
  // An echo without an answer scores the prompt.
  const least = echo === true ? 0 : 1;
  if (maxTokens !== undefined && !(Number.isInteger(maxTokens) && maxTokens >= least))
    throw refuse("maxTokens", `the most tokens must be a whole number from ${least} on`);
  if (topLogprobs !== undefined && !(Number.isInteger(topLogprobs) && topLogprobs >= 0 && topLogprobs <= TOP_LOGPROBS_MAX))
    throw refuse("topLogprobs", `alternatives must be 0 to ${TOP_LOGPROBS_MAX}`);
}

function checkStops(stops: readonly string[]): void {
  if (stops.length > STOPS_MAX) throw refuse("stop", `there may be ${STOPS_MAX} stop texts`);
  for (const [at, stop] of stops.entries()) {
    if (stop === "" || stop.length > STOP_LENGTH_MAX) throw refuse(`stop.${at}`, `a stop text has 1 to ${STOP_LENGTH_MAX} characters`);
    // Half a character would be found in the middle of a whole one, and cut it.
    if (!stop.isWellFormed()) throw refuse(`stop.${at}`, "a stop text must be whole characters");
  }
}

function checkPrompt(prompt: Int32Array, field: string, { contextTokensMax, vocabSize }: OrderBounds): void {
  if (prompt.length === 0) throw refuse(field, "a prompt needs at least one token");
  if (prompt.length > contextTokensMax)
    throw refuse(field, `the prompt has ${prompt.length} tokens, and the model reads ${contextTokensMax}`);
  const wrong = prompt.find((token) => token < 0 || token >= vocabSize);
  if (wrong !== undefined) throw refuse(field, `${wrong} is no token of the model, which has ${vocabSize}`);
}

function maxTokensOf(
  promptTokens: number,
  { maxTokens, echo }: GenerateOrder,
  { contextTokensMax, share }: OrderBounds & { share: number },
): number {
  const room = contextTokensMax - promptTokens;
  if (maxTokens !== undefined && maxTokens > room)
    throw refuse(
      "maxTokens",
      `${promptTokens} tokens of the prompt and ${maxTokens} new ones are more than the ${contextTokensMax} that the model reads`,
    );
  if (room === 0 && echo !== true) throw refuse("prompts", `the prompt has ${promptTokens} tokens and leaves no room for an answer`);
  return maxTokens ?? Math.min(room, share);
}

function refuse(field: string, why: string): Failure {
  return new Failure("invalid_request", `${why.charAt(0).toUpperCase()}${why.slice(1)}.`, { field });
}
