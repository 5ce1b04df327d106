import * as z from "zod";
import { Datatype, Shape } from "./datatype.ts";

/** A tensor of an answer: its data, or the size of what follows the JSON in binary. */
export const AnsweredTensor = z.object({
  name: z.string(),
  datatype: Datatype,
  shape: Shape,
  parameters: z.object({ binary_data_size: z.int().min(0) }).optional(),
  data: z
    .array(z.union([z.number(), z.string(), z.boolean()]))
    .optional()
    .meta({ description: "Flat, row-major; absent where it follows the JSON in binary" }),
});

/** `POST …/infer`: https://github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md */
export const InferAnswer = z
  .object({ model_name: z.string(), model_version: z.string(), id: z.string(), outputs: z.array(AnsweredTensor) })
  .meta({ id: "InferAnswer" });

const FinishReason = z.enum(["length", "eos_token", "stop_sequence"]);
export type FinishReason = z.infer<typeof FinishReason>;
const GeneratedToken = z.object({ id: z.int(), text: z.string(), logprob: z.number().nullable() });
export type GeneratedToken = z.infer<typeof GeneratedToken>;
const Head = { id: z.string(), model_name: z.string(), model_version: z.string() };

/** `POST …/generate` (generate_rest.yaml); `special` of a token is left out, since it is not known here. */
export const GenerateAnswer = z
  .object({
    ...Head,
    text_output: z.string(),
    details: z.object({ finish_reason: FinishReason, logprobs: z.array(GeneratedToken) }).optional(),
  })
  .meta({ id: "GenerateAnswer" });
export type GenerateAnswer = z.infer<typeof GenerateAnswer>;

/** One event of `POST …/generate_stream`. Only the last has a `finish_reason`, and no text. */
export const GenerateStreamEvent = z
  .object({
    ...Head,
    text_output: z.string(),
    details: z
      .object({ finish_reason: FinishReason.optional(), token: GeneratedToken.optional(), logprobs: z.array(GeneratedToken).optional() })
      .optional(),
  })
  .meta({ id: "GenerateStreamEvent" });
export type GenerateStreamEvent = z.infer<typeof GenerateStreamEvent>;
