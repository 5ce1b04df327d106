import * as z from "zod";
import { Failure } from "../../../shared/base/failure.ts";
import type { GenerateRequest, Prompt } from "../../../shared/inference/generation.ts";
import type { ReadyVersion } from "../../../shared/models/version.ts";
import { CHOICES_MAX } from "../../limits.ts";
import { GenerationFields, refused, samplingOf, stopsOf, Text, tokenLimitOf } from "./generation-fields.ts";

/** OpenAI's own default of this older API. */
const TOKENS_DEFAULT = 16;
const TOP_LOGPROBS_MAX = 5;
const TOKEN_ID_MAX = 2 ** 31 - 1;

const TokenIds = z.array(z.int().min(0).max(TOKEN_ID_MAX)).min(1, "may not be empty");

/** https://platform.openai.com/docs/api-reference/completions/create, as far as our own models do it. */
export const CompletionFields = {
  prompt: z.union([Text, z.array(Text).min(1).max(CHOICES_MAX), TokenIds, z.array(TokenIds).min(1).max(CHOICES_MAX)], {
    error: `must be a text, 1 to ${CHOICES_MAX} texts, token ids, or 1 to ${CHOICES_MAX} lists of token ids, all of whole Unicode characters`,
  }),
  ...GenerationFields,
  max_tokens: z
    .int()
    .min(0)
    .nullish()
    .meta({ description: `Absent, ${TOKENS_DEFAULT}; 0 only with echo, which scores the prompt alone` }),
  logprobs: z.int().min(0).max(TOP_LOGPROBS_MAX).nullish(),
  echo: z.boolean().nullish(),
  best_of: z.int().min(1).nullish().meta({ description: "Only what n says: all that is generated is answered" }),
  suffix: refused("models do not fill in the middle"),
} as const;

const CompletionRequest = z.object(CompletionFields);
export type CompletionRequest = z.infer<typeof CompletionRequest>;

export function askCompletion(version: ReadyVersion, asked: CompletionRequest): GenerateRequest {
  const prompts = promptsOf(asked.prompt);
  const n = asked.n ?? 1;
  if (asked.max_tokens === 0 && asked.echo !== true)
    throw new Failure("invalid_request", "max_tokens: must be 1 or more, unless the prompt is echoed", { field: "max_tokens" });
  if ((asked.best_of ?? n) !== n) throw new Failure("invalid_request", "best_of: must be what n says, or absent", { field: "best_of" });
  return {
    task: "generate",
    prompts,
    n,
    ...tokenLimitOf(version, { prompts: prompts.length, n, tokens: asked.max_tokens ?? TOKENS_DEFAULT, field: "max_tokens" }),
    sampling: samplingOf(asked),
    stop: stopsOf(asked),
    ...(typeof asked.logprobs === "number" ? { topLogprobs: asked.logprobs } : {}),
    ...(asked.echo === true ? { echo: true } : {}),
  };
}

function promptsOf(prompt: CompletionRequest["prompt"]): readonly Prompt[] {
  if (typeof prompt === "string") return [{ kind: "text", text: prompt }];
  if (isTokenIds(prompt)) return [{ kind: "tokens", tokenIds: prompt }];
  return prompt.map((each) => (typeof each === "string" ? { kind: "text", text: each } : { kind: "tokens", tokenIds: each }));
}

function isTokenIds(prompt: readonly (number | string | number[])[]): prompt is number[] {
  return typeof prompt[0] === "number";
}
