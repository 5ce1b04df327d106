import { Failure } from "../../../base/failure.ts";
import type { ClassifyFunction, TaskRequest, TaskResult } from "../../contract.ts";
import type { Rows } from "../forward.ts";
import type { ModelSettings } from "../model-files.ts";

type ClassifyRequest = Extract<TaskRequest, { task: "classify" }>;

/** Turns logits into scores. The function is the caller's, else the configuration's, else the number of labels says (transformers, `TextClassificationPipeline.postprocess`). */
export function finishClassify(logits: Rows, request: ClassifyRequest, settings: ModelSettings): TaskResult {
  const labels = labelsOf(settings, logits.width);
  const { values, width } = logits;
  const scores = new Float32Array(values.length);
  const function_ = request.function ?? settings.classifyFunction ?? (width === 1 ? "sigmoid" : "softmax");
  for (let start = 0; start < values.length; start += width) scores.set(scoresOf(values.subarray(start, start + width), function_), start);
  return { task: "classify", labels, scores };
}

/** The configuration's labels; transformers leaves out those that it would name itself. Fails with `invalid_request` if the head has another width. */
export function labelsOf({ labels }: ModelSettings, width: number): readonly string[] {
  if (labels === undefined) return Array.from({ length: width }, (_, id) => `LABEL_${id}`);
  if (labels.length === width) return labels;
  throw new Failure("invalid_request", `config.json names ${labels.length} labels, and the graph's logits have ${width}.`, {
    field: "config.json",
  });
}

function scoresOf(logits: Float32Array, function_: ClassifyFunction): Float32Array {
  switch (function_) {
    case "none":
      return logits;
    case "sigmoid":
      return logits.map((logit) => 1 / (1 + Math.exp(-logit)));
    case "softmax": {
      // Less the largest, or the exponential of a large logit would be infinite.
      const largest = logits.reduce((most, logit) => Math.max(most, logit), Number.NEGATIVE_INFINITY);
      const sum = logits.reduce((total, logit) => total + Math.exp(logit - largest), 0);
      return logits.map((logit) => Math.exp(logit - largest) / sum);
    }
  }
}
