import * as z from "zod";
import { INPUTS_MAX } from "../../serve/ask.ts";

/** Parameters of https://huggingface.co/docs/inference-providers/tasks/feature-extraction; what this server cannot do is refused, for it would change the numbers. */
export const FEATURE_PARAMETERS = {
  normalize: z.boolean().nullish(),
  dimensions: z.int().positive().nullish(),
  truncate: z.boolean().nullish(),
  truncation_direction: z.enum(["right", "Right"], { error: "inputs are cut on the right only" }).nullish(),
  encoding_format: z.literal("float", { error: "vectors are answered as numbers only" }).nullish(),
  prompt_name: z.null({ error: "prompts are not supported: put the prompt before the text" }).optional(),
} as const;

const TextPair = z.strictObject({ text: z.string(), text_pair: z.string().nullish() });
const Comparison = z.strictObject({
  source_sentence: z.string(),
  sentences: z
    .array(z.string())
    .min(1)
    .max(INPUTS_MAX - 1),
});
const Question = z.strictObject({ question: z.string(), context: z.string() });
const Ranking = z.strictObject({ query: z.string(), texts: z.array(z.string()).min(1).max(INPUTS_MAX) });
export type TextPair = z.infer<typeof TextPair>;
export type Comparison = z.infer<typeof Comparison>;
export type Question = z.infer<typeof Question>;
export type Ranking = z.infer<typeof Ranking>;

const Inputs = z.union(
  [
    z.string(),
    z
      .array(z.union([z.string(), TextPair, Question]))
      .min(1)
      .max(INPUTS_MAX),
    TextPair,
    Comparison,
    Question,
    Ranking,
  ],
  {
    error:
      `must be a text, {text, text_pair}, {question, context}, 1 to ${INPUTS_MAX} of them, {query, texts}, ` +
      `or {source_sentence, sentences} with at most ${INPUTS_MAX - 1} sentences`,
  },
);
export type Inputs = z.infer<typeof Inputs>;

/** What a request may hold whatever its task; the task's own rule reads `parameters`. */
export const HfRequest = z
  .object({
    inputs: Inputs,
    parameters: z.looseObject({}).nullish().meta({ description: "Of the task, by the names of Hugging Face's own documentation" }),
    options: z
      .unknown()
      .optional()
      .meta({ description: "Read by Hugging Face's own servers (`wait_for_model`, `use_cache`); of no effect here" }),
    stream: z.boolean().nullish().meta({ description: "Of text generation: server-sent events" }),
    // huggingface_hub sends the parameters of feature extraction beside the inputs.
    ...FEATURE_PARAMETERS,
  })
  .meta({ id: "HfRequest" });
export type HfRequest = z.infer<typeof HfRequest>;

/** What stands beside the inputs; a null says nothing, so it does not undo what `parameters` says. */
export function besideInputs(request: HfRequest): Record<string, unknown> {
  const names = Object.keys(FEATURE_PARAMETERS);
  return Object.fromEntries(
    Object.entries(request).filter(([name, value]) => names.includes(name) && value !== null && value !== undefined),
  );
}
