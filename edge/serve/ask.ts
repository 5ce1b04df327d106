import { Failure } from "../../shared/base/failure.ts";
import type { ClassifyFunction, ModelInput, Overlong, TaskRequest } from "../../shared/inference/contract.ts";
import type { ReadyVersion } from "../../shared/models/version.ts";

/** OpenAI's own limit, and so every dialect's. */
export const INPUTS_MAX = 2_048;

/** What a caller may say about a task, in any dialect; what does not belong to the version's task is refused rather than left out. */
export type Asked = {
  readonly inputs: readonly ModelInput[];
  readonly overlong: Overlong;
  readonly dimensions?: number | undefined;
  readonly normalize?: boolean | undefined;
  readonly function?: ClassifyFunction | undefined;
};

/** Builds the task that the version's head does. Refuses with `invalid_request` and the field's name. */
export function askTask(version: ReadyVersion, asked: Asked): TaskRequest {
  return version.facts.head === "embed" ? askVectors(version, asked) : askScores(version, asked);
}

/** A text as a model takes it. An empty one is refused, since its vector would mean nothing; so are halves of surrogate pairs, which tokenizers read differently. */
export function textInput(text: string, field: string, pair?: string): ModelInput {
  for (const each of [text, pair ?? text]) {
    if (each === "") throw new Failure("invalid_request", `${field}: an input may not be an empty text`, { field });
    if (!each.isWellFormed())
      throw new Failure("invalid_request", `${field}: holds half of a surrogate pair, which is not Unicode`, { field });
  }
  return pair === undefined ? { kind: "text", text } : { kind: "text", text, textPair: pair };
}

function askVectors(version: ReadyVersion, { inputs, overlong, dimensions, normalize, ...asked }: Asked): TaskRequest {
  if (asked.function !== undefined) throw notOfTask(version, "function_to_apply");
  if (inputs.some((input) => input.kind === "text" && input.textPair !== undefined)) throw notOfTask(version, "text_pair");
  const most = version.facts.dimensions ?? 0;
  if (dimensions !== undefined && dimensions > most) {
    throw new Failure("invalid_request", `dimensions: this model's vectors have ${most} elements`, { field: "dimensions" });
  }
  return {
    task: "embed",
    inputs,
    overlong,
    ...(dimensions === undefined ? {} : { dimensions }),
    ...(normalize === undefined ? {} : { normalize }),
  };
}

function askScores(version: ReadyVersion, { inputs, overlong, ...asked }: Asked): TaskRequest {
  if (asked.dimensions !== undefined) throw notOfTask(version, "dimensions");
  if (asked.normalize !== undefined) throw notOfTask(version, "normalize");
  return { task: "classify", inputs, overlong, ...(asked.function === undefined ? {} : { function: asked.function }) };
}

function notOfTask(version: ReadyVersion, field: string): Failure {
  const { model, number, facts } = version;
  return new Failure("invalid_request", `${field}: the model '${model}@${number}' does '${facts.head}', where this has no meaning`, {
    field,
  });
}
