import type { Dtype } from "../models/version.ts";
import type { GenerateEvent, GenerateRequest } from "./generation.ts";

/** One text for a model: as text, as a pair of texts, or as token ids that already hold the special tokens the caller wants. */
export type ModelInput =
  | { readonly kind: "text"; readonly text: string; readonly textPair?: string }
  | { readonly kind: "tokens"; readonly tokenIds: readonly number[] };

/** What happens to an input longer than the model reads: `refuse` with `invalid_request`, or `cut` it on the right. */
export type Overlong = "refuse" | "cut";

export type ClassifyFunction = "softmax" | "sigmoid" | "none";

/** How the tokens of a word, and neighbouring words of one kind, become one entity (transformers, `AggregationStrategy`). */
export type Aggregation = "none" | "simple" | "first" | "average" | "max";

type Texts = {
  readonly inputs: readonly ModelInput[];
  readonly overlong: Overlong;
};

export type EmbedRequest = Texts & {
  readonly task: "embed";
  /** Keep the first elements of each vector and normalise again (matryoshka); at most the model's dimensions. */
  readonly dimensions?: number;
  /** Overrides whether vectors are scaled to length 1; absent, the model's own files say. */
  readonly normalize?: boolean;
};

export type ClassifyRequest = Texts & {
  readonly task: "classify";
  /** Overrides what turns logits into scores; absent, the model's `problem_type` says (reference rule: transformers). */
  readonly function?: ClassifyFunction;
};

/** Token classification; texts longer than the model reads are read in windows that overlap by `stride` tokens. */
export type TagRequest = {
  readonly task: "tag";
  readonly texts: readonly string[];
  readonly aggregation: Aggregation;
  /** Left out after grouping; absent, `O`. */
  readonly ignoreLabels?: readonly string[];
  readonly stride?: number;
};

/** Extractive question answering. */
export type AnswerRequest = {
  readonly task: "answer";
  readonly questions: readonly { readonly question: string; readonly context: string }[];
  /** Answers per question; absent, 1. */
  readonly topK?: number;
  /** Tokens that neighbouring windows of a long context share; absent, 128, at most half of the window. */
  readonly docStride?: number;
  /** Tokens of question and context in one window; absent, 384, at most what the model reads. */
  readonly tokensMax?: number;
  readonly questionTokensMax?: number;
  /** Tokens of an answer; absent, 15. */
  readonly answerTokensMax?: number;
  /** Whether "there is no answer" (an empty one) may be answered. */
  readonly allowsNone?: boolean;
  /** Whether answers begin and end with whole words; absent, they do. */
  readonly alignsToWords?: boolean;
};

export type FillRequest = {
  readonly task: "fill";
  readonly texts: readonly string[];
  readonly topK?: number;
  /** Only these words are scored. */
  readonly targets?: readonly string[];
};

/** Which labels fit a text, without training for them: by entailment (NLI heads) or by likeness (embeddings). */
export type ZeroShotRequest = {
  readonly task: "zero-shot";
  readonly texts: readonly string[];
  readonly labels: readonly string[];
  /** `{}` stands for the label; absent, `This example is {}.` */
  readonly template?: string;
  readonly isMultiLabel?: boolean;
};

/** How well documents answer a query: by a cross-encoder with one label, or by the cosine of embeddings. */
export type RerankRequest = {
  readonly task: "rerank";
  readonly query: string;
  readonly documents: readonly string[];
  /** Whether a cross-encoder's logit is answered as it is. */
  readonly isRaw?: boolean;
  readonly overlong: Overlong;
};

/** ELECTRA's own task: which tokens were replaced. */
export type DetectRequest = { readonly task: "detect"; readonly texts: readonly string[] };

/** Keyword extraction over embeddings (KeyBERT): candidate n-grams, maximal marginal relevance. */
export type KeywordsRequest = {
  readonly task: "keywords";
  readonly texts: readonly string[];
  readonly topK?: number;
  /** Words of a candidate; absent, 1 to 2. */
  readonly wordsMin?: number;
  readonly wordsMax?: number;
  /** 0 takes the nearest to the text, 1 the least alike; absent, 0.5. */
  readonly diversity?: number;
};

/** Extractive summarisation over embeddings: the sentences nearest to the whole, in their order. */
export type SummarizeRequest = {
  readonly task: "summarize";
  readonly texts: readonly string[];
  /** Sentences of a summary; absent, 3. */
  readonly sentences?: number;
};

/** The bare graph: tensors in, tensors out, no tokenizer. */
export type ForwardRequest = {
  readonly task: "forward";
  readonly tensors: readonly NamedTensor[];
  /** Which outputs are wanted; absent, all. */
  readonly outputs?: readonly string[];
};

export const ELEMENT_TYPES = [
  "bool",
  "uint8",
  "uint16",
  "uint32",
  "uint64",
  "int8",
  "int16",
  "int32",
  "int64",
  "float16",
  "float32",
  "float64",
] as const;
export type ElementType = (typeof ELEMENT_TYPES)[number];

/** `bytes` holds the elements in row-major order, little-endian; their number is the product of `shape`. */
export type NamedTensor = {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
};

export type TaskRequest =
  | EmbedRequest
  | ClassifyRequest
  | TagRequest
  | AnswerRequest
  | FillRequest
  | ZeroShotRequest
  | RerankRequest
  | DetectRequest
  | KeywordsRequest
  | SummarizeRequest
  | ForwardRequest;

/** One call of an inference function. */
export type InferenceCall<Body> = {
  readonly requestId: string;
  readonly tenant: string;
  readonly model: string;
  readonly version: number;
  /** The manifest to load, by its SHA-256. */
  readonly manifestDigest: string;
  readonly dtype: Dtype;
  readonly body: Body;
};
export type InferenceRequest = InferenceCall<TaskRequest>;
export type GenerationCall = InferenceCall<GenerateRequest>;

/** Where something stands in a caller's text: UTF-16 units, as JavaScript counts. */
export type Span = { readonly start: number; readonly end: number };

/** A token (`aggregation: none`, with its index among the text's tokens) or a group of them. */
export type Tagged = Span & { readonly label: string; readonly score: number; readonly word: string; readonly index?: number };
export type Answered = Span & { readonly answer: string; readonly score: number };
export type Filled = { readonly score: number; readonly token: number; readonly tokenText: string; readonly sequence: string };
export type LabelScore = { readonly label: string; readonly score: number };
/** `score` is the probability that the token was replaced. */
export type Detected = Span & { readonly index: number; readonly token: string; readonly score: number };
export type Keyword = { readonly keyword: string; readonly score: number };
export type Summary = { readonly summary: string; readonly sentences: readonly (Span & { readonly score: number })[] };

export type TaskResult =
  | {
      readonly task: "embed";
      /** `[inputs, dimensions]`, row by row. */
      readonly vectors: Float32Array;
      readonly dimensions: number;
    }
  | {
      readonly task: "classify";
      /** In the order of the head's outputs. */
      readonly labels: readonly string[];
      /** `[inputs, labels]`, row by row. */
      readonly scores: Float32Array;
    }
  /** Of each text. */
  | { readonly task: "tag"; readonly items: readonly (readonly Tagged[])[] }
  /** Of each question, the best first. */
  | { readonly task: "answer"; readonly items: readonly (readonly Answered[])[] }
  /** Of each text and each of its masks, the likeliest first. */
  | { readonly task: "fill"; readonly items: readonly (readonly (readonly Filled[])[])[] }
  /** Of each text, the best label first. */
  | { readonly task: "zero-shot"; readonly items: readonly (readonly LabelScore[])[] }
  /** Of each document, in the request's order. */
  | { readonly task: "rerank"; readonly scores: readonly number[] }
  | { readonly task: "detect"; readonly items: readonly (readonly Detected[])[] }
  | { readonly task: "keywords"; readonly items: readonly (readonly Keyword[])[] }
  | { readonly task: "summarize"; readonly items: readonly Summary[] }
  | { readonly task: "forward"; readonly tensors: readonly NamedTensor[] };

export type InferenceResult = {
  readonly body: TaskResult;
  /** Unpadded tokens, special ones included, that the model read for each input (text, question, document) of the request. */
  readonly inputTokens: readonly number[];
  /** Milliseconds in the function's queue, and of the batches that computed it. */
  readonly queueMs: number;
  readonly runMs: number;
};

export type CallLimits = {
  /** Aborts when the caller leaves: the work is dropped if it still waits, and a generation ends at its next step. */
  readonly signal: AbortSignal;
  /** Milliseconds that are left for the whole call; the function refuses what it cannot start in time. */
  readonly timeoutMs: number;
};

/** A pool's door: HTTP on one machine, the Lambda API in the cloud. Failures are `Failure`s: `invalid_request`, `overloaded`, `engine_failed`, `unavailable`, `timeout`, `cancelled`. */
export type InferenceClient = {
  readonly run: (request: InferenceRequest, limits: CallLimits) => Promise<InferenceResult>;
  /** Generates text. Fails before its first event, or in the middle; a stream that ends without `done` has failed. Ending the iteration ends the work. */
  readonly generate: (call: GenerationCall, limits: CallLimits) => AsyncIterable<GenerateEvent>;
};

/** How many inputs a request has: what is billed as such, and what queues count. */
export function inputCountOf(body: TaskRequest): number {
  switch (body.task) {
    case "embed":
    case "classify":
      return body.inputs.length;
    case "answer":
      return body.questions.length;
    case "rerank":
      return body.documents.length;
    case "forward":
      return 1;
    default:
      return body.texts.length;
  }
}
