import { onTestFinished } from "vitest";
import { type HarnessOptions, type Order, startTinyGpt2 } from "./generating.ts";

export const PROMPT = Int32Array.of(48, 628, 83, 297, 271, 284, 65, 80, 406, 281);
/** The text of the first four tokens that PyTorch continues it with. */
export const VERT = "vert\n        ilrotocol";

export const order = (more: Partial<Order> = {}): Order => ({ id: "one", prompts: [PROMPT], maxTokens: 10, ...more });

/** A generator over the GPT-2 fixture, closed when the test is over. */
export async function start(more: Partial<HarnessOptions> = {}) {
  const harness = await startTinyGpt2(more);
  onTestFinished(harness.close);
  return harness.generator;
}
