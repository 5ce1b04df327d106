import * as z from "zod";
import type { GenerateRequest, TokenLogprob } from "../../../shared/inference/generation.ts";
import type { StreamRenderer } from "../../serve/generate.ts";
import type { Generation } from "../../serve/generation.ts";
import { DONE_EVENT, dataEvent, FinishReason, type Head, HeadFields, Usage, usageOf } from "./answer-head.ts";
import { ChatLogprobs, chatLogprobs } from "./logprobs.ts";

/** https://platform.openai.com/docs/api-reference/chat/object */
export const ChatCompletion = z
  .object({
    ...HeadFields,
    object: z.literal("chat.completion"),
    choices: z.array(
      z.object({
        index: z.int(),
        message: z.object({ role: z.literal("assistant"), content: z.string(), refusal: z.null() }),
        logprobs: ChatLogprobs.nullable(),
        finish_reason: FinishReason,
      }),
    ),
    usage: Usage,
  })
  .meta({ id: "ChatCompletion" });

export function renderChat(head: Head, generation: Generation, { topLogprobs }: GenerateRequest): z.infer<typeof ChatCompletion> {
  const choices = generation.choices.map(({ text, finish, logprobs }, index) => ({
    index,
    message: { role: "assistant" as const, content: text, refusal: null },
    logprobs: topLogprobs === undefined ? null : chatLogprobs(logprobs),
    finish_reason: finish.reason,
  }));
  return { ...head, object: "chat.completion", choices, usage: usageOf(generation) };
}

/** https://platform.openai.com/docs/api-reference/chat-streaming: first the role of each choice, then its pieces, then why it ended. */
export function chatStream(head: Head, { n }: GenerateRequest, includeUsage: boolean): Omit<StreamRenderer, "failed"> {
  const base = { ...head, object: "chat.completion.chunk" };
  const noUsage = includeUsage ? { usage: null } : {};
  const chunk = ({ index, delta, logprobs, finish }: ChunkParts) =>
    dataEvent({
      ...base,
      choices: [{ index, delta, logprobs: logprobs ? chatLogprobs(logprobs) : null, finish_reason: finish ?? null }],
      ...noUsage,
    });
  return {
    begun: () => Array.from({ length: n }, (_, index) => chunk({ index, delta: { role: "assistant", content: "" } })).join(""),
    text: ({ choice: index, text, logprobs }) => (text === "" && !logprobs ? "" : chunk({ index, delta: { content: text }, logprobs })),
    end({ finishes, ...ending }) {
      const finished = finishes.map(({ reason }, index) => chunk({ index, delta: {}, finish: reason })).join("");
      return finished + (includeUsage ? dataEvent({ ...base, choices: [], usage: usageOf(ending) }) : "") + DONE_EVENT;
    },
  };
}

type ChunkParts = {
  readonly index: number;
  readonly delta: { readonly role?: "assistant"; readonly content?: string };
  readonly logprobs?: readonly TokenLogprob[] | undefined;
  readonly finish?: "stop" | "length";
};
