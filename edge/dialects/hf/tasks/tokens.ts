import * as z from "zod";
import type { Filled, Tagged } from "../../../../shared/inference/contract.ts";
import { type HfRule, inCharacters, likeInputs, parametersOf, resultOf, stated, textsOf } from "../rule.ts";

const WORDS_MAX = 256;

/** https://huggingface.co/docs/inference-providers/tasks/token-classification */
const TagParameters = z.strictObject({
  aggregation_strategy: z.enum(["none", "simple", "first", "average", "max"]).nullish(),
  ignore_labels: z.array(z.string()).max(WORDS_MAX).nullish(),
  stride: z.int().min(0).nullish(),
});

/** https://huggingface.co/docs/inference-providers/tasks/fill-mask */
const FillParameters = z.strictObject({
  top_k: z.int().positive().max(1_000).nullish(),
  targets: z.array(z.string().min(1)).min(1).max(WORDS_MAX).nullish(),
});

const Nothing = z.strictObject({});

const Span = { start: z.int(), end: z.int() };
export const Entity = z.union([
  z.object({ entity_group: z.string(), score: z.number(), word: z.string(), ...Span }),
  z.object({ entity: z.string(), score: z.number(), index: z.int(), word: z.string(), ...Span }),
]);
export const Filling = z.object({ score: z.number(), token: z.int(), token_str: z.string(), sequence: z.string() });
export const Replaced = z.object({ index: z.int(), token: z.string(), score: z.number(), ...Span });

/** Grouped unless the caller says otherwise: one official client reads nothing else. */
export const tokenClassification: HfRule = {
  task: "tag",
  plan(_, request) {
    const { aggregation_strategy, ignore_labels, stride } = parametersOf(request, TagParameters);
    const aggregation = aggregation_strategy ?? "simple";
    const texts = textsOf(request.inputs).map(({ text }) => text);
    return {
      request: {
        task: "tag",
        texts,
        aggregation,
        ...stated({ ignoreLabels: ignore_labels, stride }),
      },
      render: (result) =>
        likeInputs(
          request.inputs,
          inCharacters(texts, resultOf(result, "tag").items).map((entities) => entities.map(entityOf)),
        ),
    };
  },
};

/** For one mask a list of words, for several a list of such lists. */
export const fillMask: HfRule = {
  task: "fill",
  plan(_, request) {
    const { top_k, targets } = parametersOf(request, FillParameters);
    return {
      request: { task: "fill", texts: textsOf(request.inputs).map(({ text }) => text), ...stated({ topK: top_k, targets }) },
      render: (result) =>
        likeInputs(
          request.inputs,
          resultOf(result, "fill").items.map((masks) => (masks.length === 1 ? masks.flat() : masks).map(fillingOf)),
        ),
    };
  },
};

export const replacedTokenDetection: HfRule = {
  task: "detect",
  plan(_, request) {
    parametersOf(request, Nothing);
    const texts = textsOf(request.inputs).map(({ text }) => text);
    return {
      request: { task: "detect", texts },
      render: (result) => likeInputs(request.inputs, inCharacters(texts, resultOf(result, "detect").items)),
    };
  },
};

function entityOf({ label, score, word, start, end, index }: Tagged): z.infer<typeof Entity> {
  if (index === undefined) return { entity_group: label, score, word, start, end };
  return { entity: label, score, index, word, start, end };
}

function fillingOf(filled: Filled | readonly Filled[]): unknown {
  if ("length" in filled) return filled.map(fillingOf);
  const { score, token, tokenText, sequence } = filled;
  return { score, token, token_str: tokenText, sequence };
}
