import * as z from "zod";
import { Failure } from "../../../../shared/base/failure.ts";
import type { InferenceResult, ModelInput } from "../../../../shared/inference/contract.ts";
import type { ReadyVersion } from "../../../../shared/models/version.ts";
import { askTask, textInput } from "../../../serve/ask.ts";
import { besideInputs, type Comparison, FEATURE_PARAMETERS, type HfRequest, type Inputs } from "../request.ts";
import { checkedParameters, type HfPlan, type HfRule, likeInputs, parametersOf, resultOf } from "../rule.ts";
import { inputsOf } from "./inputs.ts";

export const Vector = z.array(z.number());

const Features = z.strictObject(FEATURE_PARAMETERS);
const Nothing = z.strictObject({});

/** One vector for a text, a list of vectors for a list. */
export const featureExtraction: HfRule = {
  task: "embed",
  plan(version, request) {
    const beside = besideInputs(request);
    const { normalize, dimensions, truncate } = { ...checkedParameters(request.parameters ?? {}, Features), ...Features.parse(beside) };
    return planVectors(version, { inputs: inputsOf(request.inputs), normalize, dimensions, truncate }, (vectors) =>
      likeInputs(
        request.inputs,
        vectors.map((vector) => Array.from(vector)),
      ),
    );
  },
};

/** The cosines of a text with others. */
export const sentenceSimilarity: HfRule = {
  task: "embed",
  plan(version, request) {
    parametersOf(request, Nothing);
    const inputs = comparisonOf(request.inputs);
    return planVectors(version, { inputs, normalize: true }, ([first = new Float32Array(), ...others]) =>
      others.map((vector) => dotProduct(first, vector)),
    );
  },
};

type Asked = {
  readonly inputs: readonly ModelInput[];
  readonly normalize?: HfRequest["normalize"];
  readonly dimensions?: HfRequest["dimensions"];
  readonly truncate?: HfRequest["truncate"];
};

/** Over-long inputs are cut, as pipelines do, unless the caller forbids it. */
function planVectors(
  version: ReadyVersion,
  { inputs, normalize, dimensions, truncate }: Asked,
  render: (vectors: readonly Float32Array[]) => unknown,
): HfPlan {
  const overlong = truncate === false ? "refuse" : "cut";
  const asked = { inputs, overlong, normalize: normalize ?? undefined, dimensions: dimensions ?? undefined } as const;
  return { request: askTask(version, asked), render: (result) => render(vectorsOf(result)) };
}

function vectorsOf(result: InferenceResult): Float32Array[] {
  const { vectors, dimensions } = resultOf(result, "embed");
  return result.inputTokens.map((_, row) => vectors.subarray(row * dimensions, (row + 1) * dimensions));
}

/** The source first: the answer is its likeness to each of the others. */
function comparisonOf(inputs: Inputs): ModelInput[] {
  if (!isComparison(inputs)) throw new Failure("invalid_request", "inputs: must be {source_sentence, sentences}", { field: "inputs" });
  const { source_sentence, sentences } = inputs;
  const others = sentences.map((sentence, index) => textInput(sentence, `inputs.sentences.${index}`));
  return [textInput(source_sentence, "inputs.source_sentence"), ...others];
}

export function isComparison(inputs: Inputs): inputs is Comparison {
  return typeof inputs === "object" && "source_sentence" in inputs;
}

/** Of unit vectors: the cosine. */
function dotProduct(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);
}
