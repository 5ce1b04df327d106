import { setImmediate as nextTurn } from "node:timers/promises";
import { Failure } from "../../base/failure.ts";
import type { TaskRequest, TaskResult } from "../contract.ts";
import type { Rows } from "./forward.ts";
import type { ModelSettings } from "./model-files.ts";
import { finishClassify } from "./tasks/classify.ts";
import { finishEmbed } from "./tasks/embed.ts";
import type { EncodedInput, Encoder } from "./tokenize.ts";

/** How long tokenising may hold the event loop before others have a turn, in milliseconds. */
const TURN_MS_MAX = 5;

/** Tokenises a request's inputs, in turns with whatever else the process does. Refusals name the input, such as `input.3`. */
export async function encodeInputs(encoder: Encoder, { inputs, overlong }: TaskRequest, signal?: AbortSignal): Promise<EncodedInput[]> {
  const encoded: EncodedInput[] = [];
  let turnEndsAtMs = performance.now() + TURN_MS_MAX;
  for (const [index, input] of inputs.entries()) {
    if (performance.now() > turnEndsAtMs) {
      await nextTurn();
      if (signal?.aborted) throw new Failure("cancelled", "The caller left.");
      turnEndsAtMs = performance.now() + TURN_MS_MAX;
    }
    encoded.push(withField(`input.${index}`, () => encoder.encode(input, overlong)));
  }
  return encoded;
}

/** Turns what the graph computed into the task's answer. Numbers that are none (float16 overflows) are `engine_failed`, not an answer. */
export function finishTask(rows: Rows, request: TaskRequest, settings: ModelSettings): TaskResult {
  if (!rows.values.every(Number.isFinite)) throw new Failure("engine_failed", "The model computed numbers that are not finite.");
  return request.task === "embed" ? finishEmbed(rows, request, settings) : finishClassify(rows, request, settings);
}

function withField<T>(field: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof Failure ? new Failure(error.code, error.message, { field, cause: error }) : error;
  }
}
