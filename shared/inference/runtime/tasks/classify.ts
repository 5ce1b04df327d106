import type { ClassifyFunction, ClassifyRequest, TaskResult } from "../../contract.ts";
import type { ModelSettings } from "../model-files.ts";
import type { PlanTask, Rows } from "../plan.ts";
import { sigmoid, softmax } from "./numbers.ts";

/** Text classification of texts and pairs (transformers, `TextClassificationPipeline`): a score for every label; how many are shown is the dialects' business. */
export const planClassify: PlanTask<ClassifyRequest> = async (request, { coder, facts, settings }, signal) => {
  const inputs = await coder.encode(request.inputs, { overlong: request.overlong }, signal);
  const labels = facts.labels ?? [];
  return {
    inputs,
    inputTokens: inputs.map(({ ids }) => ids.length),
    finish: (rows) => finishClassify(rows, request, { labels, settings }),
  };
};

type Head = { readonly labels: readonly string[]; readonly settings: Pick<ModelSettings, "classifyFunction"> };

/** Turns logits into scores. The function is the caller's, else the configuration's, else the number of labels says (`TextClassificationPipeline.postprocess`). */
export function finishClassify(rows: readonly Rows[], request: ClassifyRequest, { labels, settings }: Head): TaskResult {
  const function_ = request.function ?? settings.classifyFunction ?? (labels.length === 1 ? "sigmoid" : "softmax");
  const scores = new Float32Array(rows.length * labels.length);
  rows.forEach(({ values }, row) => {
    scores.set(scoresOf(values, function_), row * labels.length);
  });
  return { task: "classify", labels, scores };
}

function scoresOf(logits: Float32Array, function_: ClassifyFunction): ArrayLike<number> {
  switch (function_) {
    case "none":
      return logits;
    case "sigmoid":
      return logits.map(sigmoid);
    case "softmax":
      return softmax(logits);
  }
}
