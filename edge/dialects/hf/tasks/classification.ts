import * as z from "zod";
import type { InferenceResult, LabelScore } from "../../../../shared/inference/contract.ts";
import { askTask } from "../../../serve/ask.ts";
import { type HfRule, likeInputs, parametersOf, resultOf, stated, textsOf } from "../rule.ts";
import { inputsOf } from "./inputs.ts";

export const Score = z.object({ label: z.string(), score: z.number() });

const LABELS_MAX = 256;
/** Of a list as one text, which is taken apart at once. */
const LABELS_CHARS_MAX = 100_000;

/** https://huggingface.co/docs/inference-providers/tasks/text-classification, and the tokenizer's parameters that people send along. */
const ClassifyParameters = z.strictObject({
  top_k: z.int().positive().nullish(),
  function_to_apply: z.enum(["softmax", "sigmoid", "none"]).nullish(),
  truncation: z.boolean().nullish(),
  padding: z.boolean().nullish(),
});

const ZeroShotParameters = z.strictObject({
  candidate_labels: z.union([z.array(z.string().min(1)).min(1).max(LABELS_MAX), z.string().min(1).max(LABELS_CHARS_MAX)], {
    error: `must be 1 to ${LABELS_MAX} labels, or such a list as one text with commas`,
  }),
  hypothesis_template: z
    .string()
    .refine((template) => template.includes("{}"), "must hold {} where the label goes")
    .nullish(),
  multi_label: z.boolean().nullish(),
});

/** For each text its labels, the likeliest first; one text is a list of one, the only form that both official clients read. */
export const textClassification: HfRule = {
  task: "classify",
  plan(version, request) {
    const { top_k, function_to_apply, truncation } = parametersOf(request, ClassifyParameters);
    const asked = { inputs: inputsOf(request.inputs), overlong: truncation === false ? "refuse" : "cut" } as const;
    return {
      request: askTask(version, { ...asked, function: function_to_apply ?? undefined }),
      render: (result) => result.inputTokens.map((_, row) => ranked(result, row).slice(0, top_k ?? undefined)),
    };
  },
};

export const zeroShotClassification: HfRule = {
  task: "zero-shot",
  plan(_, request) {
    const { candidate_labels, hypothesis_template, multi_label } = parametersOf(request, ZeroShotParameters);
    const labels = typeof candidate_labels === "string" ? candidate_labels.split(",").map((label) => label.trim()) : candidate_labels;
    return {
      request: {
        task: "zero-shot",
        texts: textsOf(request.inputs).map(({ text }) => text),
        labels: labels.filter((label) => label !== ""),
        ...stated({ template: hypothesis_template, isMultiLabel: multi_label }),
      },
      render: (result) => likeInputs(request.inputs, resultOf(result, "zero-shot").items),
    };
  },
};

function ranked(result: InferenceResult, row: number): LabelScore[] {
  const { labels, scores } = resultOf(result, "classify");
  const scored = labels.map((label, index) => ({ label, score: scores[row * labels.length + index] ?? Number.NaN }));
  return scored.sort((a, b) => b.score - a.score);
}
