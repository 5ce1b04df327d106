import { Failure } from "../../../shared/base/failure.ts";

/** What OpenAI calls the fields of a generation that engines refuse under our own names. */
const NAMES: Readonly<Record<string, string>> = {
  maxTokens: "max_tokens",
  topLogprobs: "logprobs",
  topP: "top_p",
  topK: "top_k",
  minP: "min_p",
  repetitionPenalty: "repetition_penalty",
  presencePenalty: "presence_penalty",
  frequencyPenalty: "frequency_penalty",
  logitBias: "logit_bias",
  format: "response_format",
};

/** The same failure with the field as the caller knows it; a chat's prompt is its messages. */
export function inCallersWords<T>(failure: T, path: "/completions" | "/chat/completions"): T | Failure {
  if (!(failure instanceof Failure) || failure.field === undefined) return failure;
  const { code, message, retryAfterMs, cause } = failure;
  const prompt = path === "/completions" ? "prompt" : "messages";
  const field = NAMES[failure.field] ?? failure.field.replace(path === "/completions" ? /^prompts?\b/ : /^prompts?\b.*/, prompt);
  return new Failure(code, message, { field, cause, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });
}
