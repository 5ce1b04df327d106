import type { Detected, DetectRequest } from "../../contract.ts";
import type { LocatedInput } from "../coder.ts";
import type { PlanTask, Rows } from "../plan.ts";
import { naming } from "./limits.ts";
import { sigmoid } from "./numbers.ts";
import { askSpellings } from "./spellings.ts";

/**
 * Replaced-token detection, the task that ELECTRA's discriminator was trained for (transformers, `ElectraForPreTraining`): the sigmoid of each
 * token's logit. Special tokens are among the answer, as in the reference, with the span 0 to 0. A text that is too long is refused: a
 * discriminator was trained on whole windows, and none of their parts says anything about the cut.
 */
export const planDetect: PlanTask<DetectRequest> = async (request, { coder }, signal) => {
  const texts = request.texts.map((text) => ({ kind: "text", text }) as const);
  const located = (await naming(coder.locate(texts, { overlong: "refuse" }, signal), (index) => `texts.${index}`)).flat();
  const spelled = askSpellings(coder, located);
  return {
    inputs: located,
    inputTokens: located.map(({ ids }) => ids.length),
    finish: async (rows) => {
      const spellings = await spelled();
      return { task: "detect", items: located.map((input, at) => detectedIn(input, spellings[at] ?? [], rows[at])) };
    },
  };
};

function detectedIn({ ids, spans }: LocatedInput, spellings: readonly string[], rows: Rows | undefined): Detected[] {
  return Array.from(ids, (_, index) => ({
    index,
    token: spellings[index] ?? "",
    score: sigmoid(rows?.values[index] ?? 0),
    start: spans[2 * index] ?? 0,
    end: spans[2 * index + 1] ?? 0,
  }));
}
