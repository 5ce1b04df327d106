import * as z from "zod";
import type { TokenLogprob } from "../../../shared/inference/generation.ts";

const Scored = z.object({ token: z.string(), logprob: z.number(), bytes: z.array(z.int()).nullable() });

/** https://platform.openai.com/docs/api-reference/chat/object#chat-object-choices-logprobs */
export const ChatLogprobs = z.object({ content: z.array(Scored.extend({ top_logprobs: z.array(Scored) })), refusal: z.null() });

/** https://platform.openai.com/docs/api-reference/completions/object#completions-object-choices-logprobs */
export const CompletionLogprobs = z.object({
  tokens: z.array(z.string()),
  token_logprobs: z.array(z.number().nullable()),
  top_logprobs: z.array(z.record(z.string(), z.number()).nullable()).nullable(),
  text_offset: z.array(z.int()).meta({ description: "Where a token begins in its choice's text, in UTF-16 units" }),
});

/** OpenAI's own word for a token that cannot be: JSON has none for an infinity. */
const LOGPROB_MIN = -9999;

export function chatLogprobs(tokens: readonly TokenLogprob[]): z.infer<typeof ChatLogprobs> {
  const content = tokens.map((each) => ({ ...scoredOf({ ...each, logprob: each.logprob ?? 0 }), top_logprobs: each.top.map(scoredOf) }));
  return { content, refusal: null };
}

export function completionLogprobs(
  tokens: readonly TokenLogprob[],
  offsetsOf: OffsetsOf,
  asked: number,
): z.infer<typeof CompletionLogprobs> {
  return {
    tokens: tokens.map(nameOf),
    token_logprobs: tokens.map(({ logprob }) => (logprob === null ? null : finite(logprob))),
    top_logprobs: asked === 0 ? null : tokens.map(topOf),
    text_offset: offsetsOf(tokens),
  };
}

/** Where each of the next tokens of one choice begins in its text. */
export type OffsetsOf = (tokens: readonly TokenLogprob[]) => number[];

/** Counts a choice's characters along its tokens' bytes, since a character may be split over several tokens: those after the first begin behind it. */
export function createOffsets(): OffsetsOf {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let next = 0;
  return (tokens) =>
    tokens.map(({ bytes }) => {
      const start = next;
      next += decoder.decode(Uint8Array.from(bytes), { stream: true }).length;
      return start;
    });
}

type Alternative = TokenLogprob["top"][number];

function scoredOf({ text, logprob, bytes }: Alternative): z.infer<typeof Scored> {
  return { token: text, logprob: finite(logprob), bytes: [...bytes] };
}

/** The likeliest, and the chosen one where it is not among them; of two that are spelt alike the likelier one stays. */
function topOf({ top, ...chosen }: TokenLogprob): Record<string, number> | null {
  const { logprob } = chosen;
  if (logprob === null) return null;
  const likeliestLast = [{ ...chosen, logprob }, ...top.toReversed()];
  return Object.fromEntries(likeliestLast.map((each) => [nameOf(each), finite(each.logprob)]));
}

/** A token that is only a part of a character is named by its bytes, as OpenAI does. */
function nameOf({ text, bytes }: { readonly text: string; readonly bytes: readonly number[] }): string {
  if (text !== "" || bytes.length === 0) return text;
  return `bytes:${bytes.map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("")}`;
}

function finite(logprob: number): number {
  return Number.isFinite(logprob) ? logprob : LOGPROB_MIN;
}
