import * as z from "zod";
import { Failure } from "../base/failure.ts";
import { Dtype } from "../models/version.ts";
import { ELEMENT_TYPES, type GenerationCall, type InferenceRequest, type TaskRequest } from "./contract.ts";
import type { GenerateRequest } from "./generation.ts";

/** Limits of one call, checked again by the function: it trusts no caller. */
export const TIMEOUT_MS_MAX = 900_000;
export const INPUTS_MAX = 2_048;
/** UTF-16 units of one text. */
export const TEXT_CHARS_MAX = 1024 ** 2;
export const TOKENS_PER_INPUT_MAX = 131_072;
export const TOKEN_ID_MAX = 2 ** 31 - 1;
export const DIMENSIONS_MAX = 65_536;
export const LABELS_MAX = 256;
export const TOP_K_MAX = 1_000;
export const TENSORS_MAX = 16;
export const RANK_MAX = 8;
export const PROMPTS_MAX = 128;
export const CHOICES_MAX = 128;
export const NEW_TOKENS_MAX = 131_072;
export const STOPS_MAX = 16;
export const STOP_CHARS_MAX = 1_000;
export const MESSAGES_MAX = 2_048;
export const TOP_LOGPROBS_MAX = 20;
export const LOGIT_BIASES_MAX = 1_024;
export const SCHEMA_CHARS_MAX = 64 * 1024;

const Text = z.string().max(TEXT_CHARS_MAX);
const Tokens = z.array(z.int().min(0).max(TOKEN_ID_MAX)).max(TOKENS_PER_INPUT_MAX);
const Inputs = z
  .array(
    z.discriminatedUnion("kind", [
      z.object({ kind: z.literal("text"), text: Text, textPair: z.exactOptional(Text) }),
      z.object({ kind: z.literal("tokens"), tokenIds: Tokens.min(1) }),
    ]),
  )
  .min(1)
  .max(INPUTS_MAX);
const Texts = z.array(Text).min(1).max(INPUTS_MAX);
const Words = z.array(z.string().max(1_000)).min(1).max(LABELS_MAX);
const Overlong = z.enum(["refuse", "cut"]);
const TopK = z.exactOptional(z.int().min(1).max(TOP_K_MAX));
const TokenCount = z.exactOptional(z.int().min(1).max(TOKENS_PER_INPUT_MAX));
const Flag = z.exactOptional(z.boolean());

/** Bytes are base64 on the way to the function, in JSON beside all else. */
const Bytes = z.base64().transform((text) => new Uint8Array(Buffer.from(text, "base64")));
const NamedTensor = z.object({
  name: z.string().min(1).max(200),
  type: z.enum(ELEMENT_TYPES),
  shape: z.array(z.int().min(0)).max(RANK_MAX),
  bytes: Bytes,
});

const Task = z.discriminatedUnion("task", [
  z.object({
    task: z.literal("embed"),
    inputs: Inputs,
    overlong: Overlong,
    dimensions: z.exactOptional(z.int().min(1).max(DIMENSIONS_MAX)),
    normalize: Flag,
  }),
  z.object({
    task: z.literal("classify"),
    inputs: Inputs,
    overlong: Overlong,
    function: z.exactOptional(z.enum(["softmax", "sigmoid", "none"])),
  }),
  z.object({
    task: z.literal("tag"),
    texts: Texts,
    aggregation: z.enum(["none", "simple", "first", "average", "max"]),
    ignoreLabels: z.exactOptional(z.array(z.string()).max(LABELS_MAX)),
    stride: z.exactOptional(z.int().min(0).max(TOKENS_PER_INPUT_MAX)),
  }),
  z.object({
    task: z.literal("answer"),
    questions: z
      .array(z.object({ question: Text, context: Text }))
      .min(1)
      .max(INPUTS_MAX),
    topK: TopK,
    docStride: TokenCount,
    tokensMax: TokenCount,
    questionTokensMax: TokenCount,
    answerTokensMax: TokenCount,
    allowsNone: Flag,
    alignsToWords: Flag,
  }),
  z.object({ task: z.literal("fill"), texts: Texts, topK: TopK, targets: z.exactOptional(Words) }),
  z.object({
    task: z.literal("zero-shot"),
    texts: Texts,
    labels: Words,
    template: z.exactOptional(z.string().max(1_000)),
    isMultiLabel: Flag,
  }),
  z.object({ task: z.literal("rerank"), query: Text, documents: Texts, isRaw: Flag, overlong: Overlong }),
  z.object({ task: z.literal("detect"), texts: Texts }),
  z.object({
    task: z.literal("keywords"),
    texts: Texts,
    topK: TopK,
    wordsMin: z.exactOptional(z.int().min(1).max(5)),
    wordsMax: z.exactOptional(z.int().min(1).max(5)),
    diversity: z.exactOptional(z.number().min(0).max(1)),
  }),
  z.object({ task: z.literal("summarize"), texts: Texts, sentences: z.exactOptional(z.int().min(1).max(100)) }),
  z.object({
    task: z.literal("forward"),
    tensors: z.array(NamedTensor).min(1).max(TENSORS_MAX),
    outputs: z.exactOptional(z.array(z.string()).min(1).max(TENSORS_MAX)),
  }),
]) satisfies z.ZodType<TaskRequest>;

const Prompt = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("text"), text: Text }),
  z.object({ kind: z.literal("tokens"), tokenIds: Tokens.min(1) }),
  z.object({
    kind: z.literal("chat"),
    messages: z
      .array(z.object({ role: z.string().min(1).max(64), content: Text, name: z.exactOptional(z.string().max(64)) }))
      .min(1)
      .max(MESSAGES_MAX),
  }),
]);

const between = (min: number, max: number) => z.exactOptional(z.number().min(min).max(max));
const Sampling = z.object({
  temperature: between(0, 2),
  topK: z.exactOptional(z.int().min(0).max(TOKEN_ID_MAX)),
  topP: between(0, 1),
  minP: between(0, 1),
  repetitionPenalty: z.exactOptional(z.number().positive().max(100)),
  presencePenalty: between(-2, 2),
  frequencyPenalty: between(-2, 2),
  logitBias: z.exactOptional(
    z
      .record(z.string().regex(/^\d{1,10}$/, "token ids are whole numbers"), z.number().min(-100).max(100))
      .refine((biases) => Object.keys(biases).length <= LOGIT_BIASES_MAX, `at most ${LOGIT_BIASES_MAX} tokens`),
  ),
  seed: z.exactOptional(z.int()),
});

const Format = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("json_object") }),
  z.object({
    kind: z.literal("json_schema"),
    schema: z.unknown().refine((schema) => (JSON.stringify(schema) ?? "").length <= SCHEMA_CHARS_MAX, "the schema is too large"),
  }),
]);

const Generate = z
  .object({
    task: z.literal("generate"),
    prompts: z.array(Prompt).min(1).max(PROMPTS_MAX),
    n: z.int().min(1).max(CHOICES_MAX),
    maxTokens: z.exactOptional(z.int().min(0).max(NEW_TOKENS_MAX)),
    sampling: Sampling,
    stop: z.array(z.string().min(1).max(STOP_CHARS_MAX)).max(STOPS_MAX),
    topLogprobs: z.exactOptional(z.int().min(0).max(TOP_LOGPROBS_MAX)),
    echo: Flag,
    format: z.exactOptional(Format),
    withinMs: z.exactOptional(z.int().min(1).max(TIMEOUT_MS_MAX)),
  })
  .refine(({ maxTokens, echo }) => maxTokens !== 0 || echo === true, {
    path: ["maxTokens"],
    error: "must be at least 1, unless the prompt is echoed",
  })
  .refine(({ prompts, n }) => prompts.length * n <= CHOICES_MAX, {
    path: ["n"],
    error: `prompts times n may be ${CHOICES_MAX} at most`,
  }) satisfies z.ZodType<GenerateRequest>;

const CALL = {
  requestId: z.string().min(1).max(100),
  tenant: z.string().min(1).max(100),
  model: z.string().min(1).max(100),
  version: z.int().positive(),
  manifestDigest: z.string().regex(/^[0-9a-f]{64}$/),
  dtype: Dtype,
};
const Call = z.object({ ...CALL, body: z.discriminatedUnion("task", [Generate, ...Task.options]) });
type Call = InferenceRequest | GenerationCall;

/** Bytes become base64, since all else is JSON. */
export function encodeRequest(request: Call): string {
  return JSON.stringify(request, (_, value) => (value instanceof Uint8Array ? Buffer.from(value).toString("base64") : value));
}

/** Reads a request at the function's door. Refuses with `invalid_request` and the field's name. */
export function decodeRequest(bytes: Uint8Array): Call {
  return parseRequest(parseJson(bytes));
}

export function parseRequest(value: unknown): Call {
  const parsed = Call.safeParse(value);
  if (parsed.success) return parsed.data as Call; // the schemas of both bodies satisfy its types
  const issue = parsed.error.issues[0];
  const field = fieldOf(issue?.path ?? []);
  throw new Failure("invalid_request", `${field === "" ? "The request" : field}: ${issue?.message ?? "is not valid"}`, { field });
}

export function isGeneration(call: Call): call is GenerationCall {
  return call.body.task === "generate";
}

/** `body.inputs.3.text` is the caller's `input.3`. */
function fieldOf(path: readonly PropertyKey[]): string {
  const [first, second, ...rest] = path[0] === "body" ? path.slice(1) : path;
  if (first === "inputs" && second !== undefined) return `input.${String(second)}`;
  return [first === "inputs" ? "input" : first, second, ...rest].filter((part) => part !== undefined).join(".");
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new Failure("invalid_request", "The body is not JSON in UTF-8.", { cause });
  }
}
