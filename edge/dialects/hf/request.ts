import * as z from "zod";
import { Failure } from "../../../shared/base/failure.ts";
import type { ModelInput } from "../../../shared/inference/contract.ts";
import { type Asked, INPUTS_MAX, textInput } from "../../serve/ask.ts";

/** Parameters of https://huggingface.co/docs/inference-providers/tasks/feature-extraction; what this server cannot do is refused, for it would change the numbers. */
const FeatureParameters = {
  normalize: z.boolean().nullish(),
  dimensions: z.int().positive().nullish(),
  truncate: z.boolean().nullish(),
  truncation_direction: z.enum(["right", "Right"], { error: "inputs are cut on the right only" }).nullish(),
  encoding_format: z.literal("float", { error: "vectors are answered as numbers only" }).nullish(),
  prompt_name: z.null({ error: "prompts are not supported: put the prompt before the text" }).optional(),
};

/** Parameters of https://huggingface.co/docs/inference-providers/tasks/text-classification, and the tokenizer's that people send along. */
const ClassifyParameters = {
  top_k: z.int().positive().nullish(),
  function_to_apply: z.enum(["softmax", "sigmoid", "none"]).nullish(),
  truncation: z.boolean().nullish(),
  padding: z.boolean().nullish(),
};

const TextPair = z.strictObject({ text: z.string(), text_pair: z.string().nullish() });
const Comparison = z.strictObject({
  source_sentence: z.string(),
  sentences: z
    .array(z.string())
    .min(1)
    .max(INPUTS_MAX - 1),
});
type TextPair = z.infer<typeof TextPair>;
type Comparison = z.infer<typeof Comparison>;

export const HfRequest = z
  .object({
    inputs: z.union(
      [
        z.string(),
        z
          .array(z.union([z.string(), TextPair]))
          .min(1)
          .max(INPUTS_MAX),
        TextPair,
        Comparison,
      ],
      {
        error: `must be a text, {text, text_pair}, 1 to ${INPUTS_MAX} of them, or {source_sentence, sentences} with at most ${INPUTS_MAX - 1} sentences`,
      },
    ),
    parameters: z.strictObject({ ...FeatureParameters, ...ClassifyParameters }).nullish(),
    options: z
      .unknown()
      .optional()
      .meta({ description: "Read by Hugging Face's own servers (`wait_for_model`, `use_cache`); of no effect here" }),
    // huggingface_hub sends the parameters of feature extraction beside the inputs.
    ...FeatureParameters,
  })
  .meta({ id: "HfRequest" });
type HfRequest = z.infer<typeof HfRequest>;

/** How the answer is laid out: one element for one input, and the shape of each task. */
export type HfAsked = Asked & {
  readonly layout: "single" | "list" | "comparison";
  readonly topK: number | undefined;
};

/** What a request asks for, whatever task its model does. Over-long inputs are cut, as pipelines do, unless the caller forbids it. */
export function askedOf(request: HfRequest): HfAsked {
  const { normalize, dimensions, truncate, truncation, top_k, function_to_apply } = { ...request.parameters, ...notNull(request) };
  const { inputs, layout } = inputsOf(request.inputs);
  return {
    inputs,
    layout,
    overlong: (truncate ?? truncation) === false ? "refuse" : "cut",
    dimensions: dimensions ?? undefined,
    normalize: layout === "comparison" ? true : (normalize ?? undefined),
    function: function_to_apply ?? undefined,
    topK: top_k ?? undefined,
  };
}

function inputsOf(inputs: HfRequest["inputs"]): Pick<HfAsked, "inputs" | "layout"> {
  if (Array.isArray(inputs)) return { layout: "list", inputs: inputs.map((each, index) => inputOf(each, `inputs.${index}`)) };
  if (typeof inputs === "string" || "text" in inputs) return { layout: "single", inputs: [inputOf(inputs, "inputs")] };
  return { layout: "comparison", inputs: comparisonOf(inputs) };
}

function inputOf(input: string | TextPair, field: string): ModelInput {
  if (typeof input === "string") return textInput(input, field);
  return textInput(input.text, field, input.text_pair ?? undefined);
}

/** The source first: the answer is its likeness to each of the others. */
function comparisonOf({ source_sentence, sentences }: Comparison): ModelInput[] {
  const others = sentences.map((sentence, index) => textInput(sentence, `inputs.sentences.${index}`));
  return [textInput(source_sentence, "inputs.source_sentence"), ...others];
}

/** A null says nothing, so it does not undo what `parameters` says. */
function notNull(request: HfRequest): Partial<HfRequest> {
  return Object.fromEntries(Object.entries(request).filter(([, value]) => value !== null && value !== undefined));
}

export const HF_TASKS = {
  "feature-extraction": "embed",
  "sentence-similarity": "embed",
  "text-classification": "classify",
} as const;

/** The task that a path such as `/pipeline/feature-extraction` names. */
export function hfTaskOf(name: string): keyof typeof HF_TASKS {
  if (Object.hasOwn(HF_TASKS, name)) return name as keyof typeof HF_TASKS; // it is one of its own keys
  throw new Failure("invalid_request", `The task must be one of ${Object.keys(HF_TASKS).join(", ")}.`, { field: "task" });
}
