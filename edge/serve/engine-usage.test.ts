import { expect, test } from "vitest";
import { engineUsageOf } from "./engine-usage.ts";

test("counts are taken as they are, and what no engine can have counted is no count", () => {
  const counted = (prompt: unknown, completion: unknown) => engineUsageOf({ prompt_tokens: prompt, completion_tokens: completion });

  expect(counted(7, 3)).toEqual({ inputTokens: 7, outputTokens: 3 });
  expect(counted(Number.MAX_SAFE_INTEGER, -1)).toEqual({ inputTokens: 0, outputTokens: 0 });
  expect(engineUsageOf("many")).toEqual({ inputTokens: 0, outputTokens: 0 });
});
