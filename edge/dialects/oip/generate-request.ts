import * as z from "zod";
import { Failure } from "../../../shared/base/failure.ts";
import type { GenerateRequest } from "../../../shared/inference/generation.ts";
import type { ReadyVersion } from "../../../shared/models/version.ts";
import { refusal } from "../../../shared/oip/refusal.ts";
import { assertTask } from "../../serve/serve.ts";
import { GenerationFields, samplingOf, stopsOf, Text, tokenLimitOf } from "../openai/generation-fields.ts";
import { Timeout } from "./parameters.ts";

/** The protocol's own. */
const MAX_TOKENS_DEFAULT = 20;
const ID_CHARS_MAX = 200;

const { n: _n, ...OneChoice } = GenerationFields;
const GenerateParameters = z.looseObject({
  ...OneChoice,
  max_tokens: z
    .int()
    .min(1)
    .nullish()
    .meta({ description: `New tokens; absent, ${MAX_TOKENS_DEFAULT}` }),
  chat: z
    .boolean()
    .nullish()
    .meta({ description: "Whether the text is what a user says in a conversation, as the model's own template writes it" }),
  details: z.boolean().nullish().meta({ description: "Adds log-probabilities of the tokens" }),
  timeout: Timeout.nullish(),
  stream: z.boolean().nullish().meta({ description: "Ignored: the path decides" }),
});

/** https://github.com/kserve/open-inference-protocol, specification/protocol/generate_rest.yaml */
export const GenerateBody = z
  .object({ id: z.string().max(ID_CHARS_MAX).optional(), text_input: Text, parameters: GenerateParameters.optional() })
  .meta({ id: "GenerateRequest" });
export type GenerateBody = z.infer<typeof GenerateBody>;

/** Parameters that clients of Triton send by habit. */
const RESERVED = /^(sequence_id|sequence_start|sequence_end|priority|headers|triton_.*)$/;

/** One choice for one text. Refuses parameters that are nobody's, since leaving one out would change the text. */
export function askGenerate(version: ReadyVersion, { text_input, parameters = {} }: GenerateBody): GenerateRequest {
  assertTask(version, "generate");
  const strange = Object.keys(parameters).find((name) => !Object.hasOwn(GenerateParameters.shape, name) && !RESERVED.test(name));
  if (strange !== undefined) throw refusal(`parameters.${strange}`, "is not a parameter of this server");
  const tokens = parameters.max_tokens ?? MAX_TOKENS_DEFAULT;
  return {
    task: "generate",
    prompts: [parameters.chat ? { kind: "chat", messages: [{ role: "user", content: text_input }] } : { kind: "text", text: text_input }],
    n: 1,
    ...tokenLimitOf(version, { prompts: 1, n: 1, tokens, field: "parameters.max_tokens" }),
    sampling: samplingOf(parameters),
    stop: stopsOf(parameters),
    ...(parameters.details ? { topLogprobs: 0 } : {}),
  };
}

/** What engines refuse under our own names, as this protocol's callers know it: its error form has no place for a field but the message. */
export function inCallersWords<T>(failure: T): T | Failure {
  if (!(failure instanceof Failure) || failure.field === undefined) return failure;
  const { code, field, message, retryAfterMs, cause } = failure;
  const named = NAMES[field] ?? (/^(prompts?|messages)\b/.test(field) ? "text_input" : field);
  const words = message.startsWith(`${field}: `) ? `${named}${message.slice(field.length)}` : message;
  return new Failure(code, words, { field: named, cause, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });
}

const NAMES: Readonly<Record<string, string>> = {
  maxTokens: "parameters.max_tokens",
  topLogprobs: "parameters.details",
  topP: "parameters.top_p",
  topK: "parameters.top_k",
  minP: "parameters.min_p",
  repetitionPenalty: "parameters.repetition_penalty",
  presencePenalty: "parameters.presence_penalty",
  frequencyPenalty: "parameters.frequency_penalty",
  logitBias: "parameters.logit_bias",
};
