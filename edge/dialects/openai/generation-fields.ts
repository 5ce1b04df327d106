import * as z from "zod";
import { Failure } from "../../../shared/base/failure.ts";
import type { Sampling } from "../../../shared/inference/generation.ts";
import type { ReadyVersion } from "../../../shared/models/version.ts";
import { CHOICES_MAX, GENERATED_TOKENS_MAX } from "../../limits.ts";

const STOPS_MAX = 4;
const STOP_CHARS_MAX = 256;
const BIASES_MAX = 1_024;
const TOP_K_MAX = 1_000_000;
const SEED_MAX = Number.MAX_SAFE_INTEGER;

/** A text as models take it: halves of surrogate pairs are read differently by every tokenizer. */
export const Text = z.string().refine((text) => text.isWellFormed(), "holds half of a surrogate pair, which is not Unicode");

export const TokenLimit = z.int().min(1).nullish();

/** What changes the answer and cannot be done here is refused rather than left out. */
export function refused(message: string) {
  return z
    .unknown()
    .refine(isNothing, message)
    .optional()
    .meta({ description: `Refused: ${message}` });
}

/** What both APIs of OpenAI have in common, with the extensions that other servers made common; null says nothing. */
export const GenerationFields = {
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  n: z.int().min(1).max(CHOICES_MAX).nullish(),
  seed: z.int().min(-SEED_MAX).max(SEED_MAX).nullish(),
  stop: z
    .union([Text.min(1).max(STOP_CHARS_MAX), z.array(Text.min(1).max(STOP_CHARS_MAX)).max(STOPS_MAX)], {
      error: `must be a text or at most ${STOPS_MAX} texts of 1 to ${STOP_CHARS_MAX} characters`,
    })
    .nullish(),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  logit_bias: z
    .record(z.string().regex(/^\d{1,9}$/, "names a token by its id"), z.number().min(-100).max(100))
    .refine((biases) => Object.keys(biases).length <= BIASES_MAX, `may bias at most ${BIASES_MAX} tokens`)
    .nullish(),
  top_k: z.int().min(-1).max(TOP_K_MAX).nullish().meta({ description: "0 and -1: no limit" }),
  min_p: z.number().min(0).max(1).nullish(),
  repetition_penalty: z.number().gt(0).max(10).nullish(),
} as const;

const Fields = z.object(GenerationFields);
type Fields = z.infer<typeof Fields>;

export function samplingOf(asked: Fields): Sampling {
  const { temperature, top_p, top_k, min_p, repetition_penalty, presence_penalty, frequency_penalty, logit_bias, seed } = asked;
  return stated({
    temperature,
    topP: top_p,
    topK: top_k !== undefined && top_k !== null && top_k > 0 ? top_k : undefined,
    minP: min_p,
    repetitionPenalty: repetition_penalty,
    presencePenalty: presence_penalty,
    frequencyPenalty: frequency_penalty,
    logitBias: logit_bias,
    seed,
  });
}

export function stopsOf({ stop }: Fields): readonly string[] {
  return typeof stop === "string" ? [stop] : (stop ?? []);
}

type Sizes = {
  readonly prompts: number;
  readonly n: number;
  /** New tokens of each choice as the caller states them, and under which name. */
  readonly tokens: number | undefined;
  readonly field: string;
};

/**
 * How many tokens each choice may have. What is stated and too much is refused. Without a statement the model's context is the limit, and for many choices
 * their share of what one request may have: it ends with `length` then.
 */
export function tokenLimitOf({ facts }: ReadyVersion, { prompts, n, tokens, field }: Sizes): { readonly maxTokens?: number } {
  const choices = prompts * n;
  if (choices > CHOICES_MAX) {
    throw new Failure("invalid_request", `n: ${prompts} prompts times n are ${choices} choices, at most ${CHOICES_MAX} are allowed`, {
      field: "n",
    });
  }
  const most = Math.floor(GENERATED_TOKENS_MAX / choices);
  if (tokens === undefined) return facts.tokensMax > most ? { maxTokens: most } : {};
  if (tokens <= most) return { maxTokens: tokens };
  const message = `${field}: ${choices} choices of ${tokens} tokens are more than the ${GENERATED_TOKENS_MAX} tokens that one request may have`;
  throw new Failure("invalid_request", message, { field });
}

/** The same without what says nothing. */
function stated<T extends object>(fields: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null)) as {
    [K in keyof T]?: NonNullable<T[K]>;
  }; // the filter has left nothing else
}

function isNothing(value: unknown): boolean {
  return value === null || value === undefined || value === false || (Array.isArray(value) && value.length === 0);
}
