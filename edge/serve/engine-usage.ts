import * as z from "zod";

/** Tokens as a foreign engine counted them. */
export type EngineUsage = { readonly inputTokens: number; readonly outputTokens: number };

/** Far above what any engine reads or writes for one request; what claims more is a mistake, and one such row would keep a month from being added up exactly. */
const TOKENS_MAX = 1_000_000_000;
const TokenCount = z.int().min(0).max(TOKENS_MAX).catch(0);
const Usage = z.object({ prompt_tokens: TokenCount, completion_tokens: TokenCount });
const NONE: EngineUsage = { inputTokens: 0, outputTokens: 0 };

/** Reads OpenAI's `usage` object; an engine that reports none is metered as a request without tokens. */
export function engineUsageOf(usage: unknown): EngineUsage {
  const parsed = Usage.safeParse(usage);
  return parsed.success ? { inputTokens: parsed.data.prompt_tokens, outputTokens: parsed.data.completion_tokens } : NONE;
}
