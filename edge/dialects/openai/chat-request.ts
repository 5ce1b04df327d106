import * as z from "zod";
import { Failure } from "../../../shared/base/failure.ts";
import type { ChatMessage, GenerateRequest } from "../../../shared/inference/generation.ts";
import type { ReadyVersion } from "../../../shared/models/version.ts";
import { GenerationFields, refused, samplingOf, stopsOf, Text, TokenLimit, tokenLimitOf } from "./generation-fields.ts";
import { formatOf, ResponseFormatField } from "./response-format.ts";

const MESSAGES_MAX = 2_048;
const PARTS_MAX = 1_024;
const TOP_LOGPROBS_MAX = 20;

const TextPart = z.object({
  type: z.literal("text", "only parts of type text are read: this model sees no images and hears no sound"),
  text: Text,
});

const Message = z.object({
  role: z.enum(["system", "developer", "user", "assistant", "tool"]),
  content: z.union([Text, z.array(TextPart).min(1).max(PARTS_MAX)]).nullish(),
  name: Text.max(64).nullish(),
  tool_calls: refused("tools are not supported"),
  function_call: refused("functions are not supported"),
});
type Message = z.infer<typeof Message>;

/** https://platform.openai.com/docs/api-reference/chat/create, as far as our own models do it. */
export const ChatFields = {
  messages: z.array(Message).min(1).max(MESSAGES_MAX),
  ...GenerationFields,
  max_completion_tokens: TokenLimit.meta({ description: "Absent, what the model's context has room for" }),
  max_tokens: TokenLimit.meta({ description: "The older name of max_completion_tokens, which comes first" }),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().min(0).max(TOP_LOGPROBS_MAX).nullish().meta({ description: "Needs logprobs" }),
  response_format: ResponseFormatField.nullish(),
  tools: refused("tools are not supported"),
  functions: refused("functions are not supported"),
  tool_choice: z.enum(["none", "auto"], "tools are not supported").nullish(),
  function_call: z.enum(["none", "auto"], "functions are not supported").nullish(),
  modalities: z.array(z.literal("text", "only text is generated")).nullish(),
  audio: refused("only text is generated"),
  web_search_options: refused("models do not search the web"),
} as const;

const ChatRequest = z.object(ChatFields);
export type ChatRequest = z.infer<typeof ChatRequest>;

export function askChat(version: ReadyVersion, asked: ChatRequest): GenerateRequest {
  const n = asked.n ?? 1;
  const field = asked.max_completion_tokens ? "max_completion_tokens" : "max_tokens";
  const tokens = asked.max_completion_tokens ?? asked.max_tokens ?? undefined;
  return {
    task: "generate",
    prompts: [{ kind: "chat", messages: asked.messages.map(messageOf) }],
    n,
    ...tokenLimitOf(version, { prompts: 1, n, tokens, field }),
    sampling: samplingOf(asked),
    stop: stopsOf(asked),
    ...logprobsOf(asked),
    ...formatOf(asked.response_format),
  };
}

/** Templates know `system`; OpenAI's `developer` is its newer name. Parts of a text are lines, as other servers join them. */
function messageOf({ role, content, name }: Message): ChatMessage {
  const text = Array.isArray(content) ? content.map((part) => part.text).join("\n") : (content ?? "");
  return { role: role === "developer" ? "system" : role, content: text, ...(name ? { name } : {}) };
}

function logprobsOf({ logprobs, top_logprobs }: ChatRequest): { readonly topLogprobs?: number } {
  if (logprobs === true) return { topLogprobs: top_logprobs ?? 0 };
  if (top_logprobs === undefined || top_logprobs === null) return {};
  throw new Failure("invalid_request", "top_logprobs: needs logprobs to be true", { field: "top_logprobs" });
}
