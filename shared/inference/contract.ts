import type { Dtype } from "../models/version.ts";

/** One text for a model: as text, as a pair of texts, or as token ids that already hold the special tokens the caller wants. */
export type ModelInput =
  | { readonly kind: "text"; readonly text: string; readonly textPair?: string }
  | { readonly kind: "tokens"; readonly tokenIds: readonly number[] };

/** What happens to an input longer than the model reads: `refuse` with `invalid_request`, or `cut` it on the right. */
export type Overlong = "refuse" | "cut";

export type ClassifyFunction = "softmax" | "sigmoid" | "none";

export type TaskRequest =
  | {
      readonly task: "embed";
      readonly inputs: readonly ModelInput[];
      readonly overlong: Overlong;
      /** Keep the first elements of each vector and normalise again (matryoshka); at most the model's dimensions. */
      readonly dimensions?: number;
      /** Overrides whether vectors are scaled to length 1; absent, the model's own files say. */
      readonly normalize?: boolean;
    }
  | {
      readonly task: "classify";
      readonly inputs: readonly ModelInput[];
      readonly overlong: Overlong;
      /** Overrides what turns logits into scores; absent, the model's `problem_type` says (reference rule: transformers). */
      readonly function?: ClassifyFunction;
    };

/** One call of an inference function. */
export type InferenceRequest = {
  readonly requestId: string;
  readonly tenant: string;
  readonly model: string;
  readonly version: number;
  /** The manifest to load, by its SHA-256. */
  readonly manifestDigest: string;
  readonly dtype: Dtype;
  readonly body: TaskRequest;
};

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
    };

export type InferenceResult = {
  readonly body: TaskResult;
  /** Unpadded tokens of each input, special ones included, as the model read them. */
  readonly inputTokens: readonly number[];
  /** Milliseconds in the function's queue, and of the batches that computed it. */
  readonly queueMs: number;
  readonly runMs: number;
};

export type CallLimits = {
  /** Aborts when the caller leaves: the work is dropped if it still waits. */
  readonly signal: AbortSignal;
  /** Milliseconds that are left for the whole call; the function refuses what it cannot start in time. */
  readonly timeoutMs: number;
};

/** A pool's door: HTTP on one machine, the Lambda API in the cloud. Failures are `Failure`s: `invalid_request`, `overloaded`, `engine_failed`, `unavailable`, `timeout`, `cancelled`. */
export type InferenceClient = {
  readonly run: (request: InferenceRequest, limits: CallLimits) => Promise<InferenceResult>;
};
