import * as z from "zod";
import type { GenerateRequest } from "../../../shared/inference/generation.ts";
import type { StreamRenderer } from "../../serve/generate.ts";
import type { Generation } from "../../serve/generation.ts";
import { DONE_EVENT, dataEvent, FinishReason, type Head, HeadFields, Usage, usageOf } from "./answer-head.ts";
import { CompletionLogprobs, completionLogprobs, createOffsets, type OffsetsOf } from "./logprobs.ts";

/** https://platform.openai.com/docs/api-reference/completions/object; the choices of prompt p are those from p·n on. */
export const Completion = z
  .object({
    ...HeadFields,
    object: z.literal("text_completion"),
    choices: z.array(z.object({ index: z.int(), text: z.string(), logprobs: CompletionLogprobs.nullable(), finish_reason: FinishReason })),
    usage: Usage,
  })
  .meta({ id: "Completion" });

export function renderCompletion(head: Head, generation: Generation, { topLogprobs }: GenerateRequest): z.infer<typeof Completion> {
  const choices = generation.choices.map(({ text, finish, logprobs }, index) => ({
    index,
    text,
    logprobs: topLogprobs === undefined ? null : completionLogprobs(logprobs, createOffsets(), topLogprobs),
    finish_reason: finish.reason,
  }));
  return { ...head, object: "text_completion", choices, usage: usageOf(generation) };
}

/** The same in pieces, each a whole answer of its own. */
export function completionStream(head: Head, { topLogprobs = 0 }: GenerateRequest, includeUsage: boolean): Omit<StreamRenderer, "failed"> {
  const base = { ...head, object: "text_completion" };
  const noUsage = includeUsage ? { usage: null } : {};
  const chunk = (choice: object) => dataEvent({ ...base, choices: [choice], ...noUsage });
  const offsets = new Map<number, OffsetsOf>();
  return {
    begun: () => "",
    text({ choice: index, text, logprobs }) {
      if (text === "" && !logprobs) return "";
      const offsetsOf = offsets.get(index) ?? createOffsets();
      offsets.set(index, offsetsOf);
      return chunk({ index, text, logprobs: logprobs ? completionLogprobs(logprobs, offsetsOf, topLogprobs) : null, finish_reason: null });
    },
    end({ finishes, ...ending }) {
      const finished = finishes.map(({ reason }, index) => chunk({ index, text: "", logprobs: null, finish_reason: reason })).join("");
      return finished + (includeUsage ? dataEvent({ ...base, choices: [], usage: usageOf(ending) }) : "") + DONE_EVENT;
    },
  };
}
