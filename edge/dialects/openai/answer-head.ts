import * as z from "zod";
import type { ReadyVersion } from "../../../shared/models/version.ts";
import type { Generation } from "../../serve/generation.ts";
import type { Call } from "../../serve/serve.ts";

/** What answers and chunks of both APIs begin with. */
export const HeadFields = {
  id: z.string(),
  created: z.int(),
  model: z.string(),
  system_fingerprint: z.string().meta({ description: "The version, and which of its files computed" }),
} as const;

const Head = z.object(HeadFields);
export type Head = z.infer<typeof Head>;

export const Usage = z.object({ prompt_tokens: z.int(), completion_tokens: z.int(), total_tokens: z.int() });

export const FinishReason = z
  .enum(["stop", "length"])
  .meta({ description: "`length`: the token limit, the context's end, or of a whole answer the end of the time in which it can be given" });

export function headOf(call: Call, version: ReadyVersion, kind: "cmpl" | "chatcmpl"): Head {
  const model = `${version.model}@${version.number}`;
  return {
    id: `${kind}-${call.requestId}`,
    created: Math.floor(call.acceptedAtMs / 1000),
    model,
    system_fingerprint: `${model}/${version.placement.dtype}`,
  };
}

export function usageOf({ inputTokens, outputTokens }: Pick<Generation, "inputTokens" | "outputTokens">): z.infer<typeof Usage> {
  const [prompt, completion] = [sumOf(inputTokens), sumOf(outputTokens)];
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
}

/** One server-sent event. */
export function dataEvent(data: object): string {
  return `data: ${JSON.stringify(data)}\n\n`;
}

export const DONE_EVENT = "data: [DONE]\n\n";

function sumOf(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0);
}
