import type { VersionFacts } from "../../models/version.ts";
import type { TaskRequest, TaskResult } from "../contract.ts";
import type { EncodedInput, TextCoder } from "./coder.ts";
import type { ModelSettings } from "./model-files.ts";

/** An input on its way through the graph; of token heads only the rows at `keep` come back, if it says so. */
export type PlannedInput = EncodedInput & { readonly keep?: Int32Array };

/** What a head says of one input, row by row: one row (a vector or logits of a text), or one per token. */
export type Rows = { readonly values: Float32Array; readonly width: number };

/** A task before and after the graph: what runs, in any order and company, and what its numbers mean. */
export type TaskPlan = {
  readonly inputs: readonly PlannedInput[];
  /** Of each input of the request, as `InferenceResult` says. */
  readonly inputTokens: readonly number[];
  /** Rows in the order of `inputs`. */
  readonly finish: (rows: readonly Rows[]) => TaskResult | Promise<TaskResult>;
};

/** What tasks know of a model. */
export type TaskModel = { readonly facts: VersionFacts; readonly settings: ModelSettings; readonly coder: TextCoder };

/** One task's rule: `tasks/<task>.ts` exports one, with its source in the docstring. */
export type PlanTask<Request extends TaskRequest> = (request: Request, model: TaskModel, signal?: AbortSignal) => Promise<TaskPlan>;
