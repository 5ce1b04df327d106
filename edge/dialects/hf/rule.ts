import type * as z from "zod";
import { Failure } from "../../../shared/base/failure.ts";
import type { InferenceResult, Span, TaskRequest, TaskResult } from "../../../shared/inference/contract.ts";
import type { Task } from "../../../shared/models/tasks.ts";
import type { ReadyVersion } from "../../../shared/models/version.ts";
import { checked } from "../../http.ts";
import { createCharacterCounter } from "../characters.ts";
import { besideInputs, type HfRequest, type Inputs } from "./request.ts";

/** A request made for one version, and how its answer is laid out. */
export type HfPlan<Answer = unknown> = { readonly request: TaskRequest; readonly render: (result: InferenceResult) => Answer };

/** What one of Hugging Face's tasks reads and answers. */
export type HfRule = {
  readonly task: Task;
  /** Refuses with `invalid_request` what the task or the version cannot do. */
  readonly plan: (version: ReadyVersion, request: HfRequest) => HfPlan;
};

/** Reads a task's own parameters, every one of which it knows. What stands beside the inputs is of feature extraction alone. */
export function parametersOf<T>(request: HfRequest, schema: z.ZodType<T>): T {
  const [strange] = Object.keys(besideInputs(request));
  if (strange !== undefined)
    throw new Failure("invalid_request", `${strange}: only feature extraction has such a parameter`, { field: strange });
  return checkedParameters(request.parameters ?? {}, schema);
}

export function checkedParameters<T>(parameters: unknown, schema: z.ZodType<T>): T {
  try {
    return checked(parameters, schema);
  } catch (error) {
    if (!(error instanceof Failure) || error.field === undefined) throw error;
    throw new Failure("invalid_request", `parameters.${error.message}`, { field: `parameters.${error.field}` });
  }
}

/** One answer for one input, a list for a list. */
export function likeInputs<T>(inputs: Inputs, items: readonly T[]): T | readonly T[] {
  if (Array.isArray(inputs)) return items;
  const [only] = items;
  if (only === undefined) throw new Error("an answer without an item");
  return only;
}

/** The texts of a request whose task reads texts and nothing else. */
export function textsOf(inputs: Inputs): readonly { readonly text: string; readonly field: string }[] {
  const all = Array.isArray(inputs) ? inputs : [inputs];
  return all.map((each, index) => {
    const field = Array.isArray(inputs) ? `inputs.${index}` : "inputs";
    if (typeof each === "string") return { text: wellFormed(each, field), field };
    if ("text" in each && (each.text_pair ?? undefined) === undefined) return { text: wellFormed(each.text, field), field };
    throw new Failure("invalid_request", `${field}: must be a text`, { field });
  });
}

/** Places count Unicode characters, as Hugging Face's own servers do: found things of each text, with their places in it. */
export function inCharacters<S extends Span>(texts: readonly string[], items: readonly (readonly S[])[]): S[][] {
  return items.map((found, index) => found.map(createCharacterCounter(texts[index] ?? "")));
}

/** Halves of surrogate pairs are read differently by every tokenizer. */
export function wellFormed(text: string, field: string): string {
  if (text.isWellFormed()) return text;
  throw new Failure("invalid_request", `${field}: holds half of a surrogate pair, which is not Unicode`, { field });
}

/** Narrows a result to the task that was asked for. */
export function resultOf<T extends TaskResult["task"]>({ body }: InferenceResult, task: T): Extract<TaskResult, { task: T }> {
  if (body.task !== task) throw new Error(`asked for ${task}, got ${body.task}`);
  return body as Extract<TaskResult, { task: T }>; // the line above has seen it
}

/** The same without what says nothing, as the contract wants it. */
export function stated<T extends object>(fields: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null)) as {
    [K in keyof T]?: NonNullable<T[K]>;
  }; // the filter has left nothing else
}
