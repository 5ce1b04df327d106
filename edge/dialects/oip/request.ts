import * as z from "zod";
import { Failure } from "../../../shared/base/failure.ts";
import type { ModelInput } from "../../../shared/inference/contract.ts";
import { type Asked, INPUTS_MAX, textInput } from "../../serve/ask.ts";

const DATATYPES = [
  ...["BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64"],
  ...["FP16", "BF16", "FP32", "FP64", "BYTES"],
] as const;
const Datatype = z.enum(DATATYPES);

/** The protocol leaves parameters to servers: these are ours, and `RESERVED` names those of other servers that clients send by habit. */
const Parameters = z.looseObject({
  normalize: z.boolean().optional(),
  dimensions: z.int().positive().optional(),
  truncate: z.boolean().optional(),
  function_to_apply: z.enum(["softmax", "sigmoid", "none"]).optional(),
});
const RESERVED = /^(sequence_id|sequence_start|sequence_end|priority|timeout|headers|content_type|binary_data_output|triton_.*)$/;

const TensorParameters = z.looseObject({ binary_data_size: z.int().optional(), classification: z.unknown().optional() });

const InputTensor = z.object({
  name: z.string(),
  shape: z.array(z.int().min(0)).min(1).max(8),
  datatype: Datatype,
  parameters: TensorParameters.optional(),
  data: z.array(z.unknown()).optional(),
});
type InputTensor = z.infer<typeof InputTensor>;

/** https://github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md */
export const InferRequest = z
  .object({
    id: z.string().max(200).optional(),
    parameters: Parameters.optional(),
    inputs: z.array(InputTensor).min(1).max(8),
    outputs: z
      .array(z.object({ name: z.string(), parameters: TensorParameters.optional() }))
      .max(8)
      .optional(),
  })
  .meta({ id: "InferRequest" });
export type InferRequest = z.infer<typeof InferRequest>;

/** `text`, and `text_pair` for heads that judge two texts at once. Over-long texts are cut unless `truncate` is false. */
const INPUT_NAMES = ["text", "text_pair"];

export function askedOf(request: InferRequest): Asked {
  const { normalize, dimensions, truncate, function_to_apply, ...others } = request.parameters ?? {};
  const strange = Object.keys(others).find((name) => !RESERVED.test(name));
  if (strange !== undefined) throw refusal(`parameters.${strange}`, "is not a parameter of this server");
  return {
    inputs: inputsOf(request.inputs),
    overlong: truncate === false ? "refuse" : "cut",
    dimensions,
    normalize,
    function: function_to_apply,
  };
}

function inputsOf(tensors: readonly InputTensor[]): ModelInput[] {
  const texts = new Map<string, string[]>();
  for (const [index, tensor] of tensors.entries()) {
    const field = `inputs.${index}`;
    if (!INPUT_NAMES.includes(tensor.name)) throw refusal(`${field}.name`, `must be one of ${INPUT_NAMES.join(", ")}`);
    if (texts.has(tensor.name)) throw refusal(`${field}.name`, `'${tensor.name}' is given twice`);
    texts.set(tensor.name, textsOf(tensor, field));
  }
  const [first, second] = [texts.get("text"), texts.get("text_pair")];
  if (first === undefined) throw refusal("inputs", "the input 'text' is missing");
  if (second !== undefined && second.length !== first.length)
    throw refusal("inputs", "'text' and 'text_pair' must hold equally many texts");
  return first.map((text, index) => textInput(text, `inputs.0.data.${index}`, second?.[index]));
}

/** The texts of a BYTES tensor of shape [n] or [n,1], flat or nested as its shape says. */
function textsOf({ datatype, shape, data, parameters }: InputTensor, field: string): string[] {
  if (parameters?.binary_data_size !== undefined) throw binaryUnsupported();
  if (datatype !== "BYTES") throw refusal(`${field}.datatype`, `must be BYTES, not ${datatype}`);
  const [count = 0, width = 1, ...more] = shape;
  if (width !== 1 || more.length > 0) throw refusal(`${field}.shape`, "must be [n] or [n,1]");
  if (count < 1 || count > INPUTS_MAX) throw refusal(`${field}.shape`, `must hold 1 to ${INPUTS_MAX} texts`);
  if (data === undefined) throw refusal(`${field}.data`, "is missing");
  if (data.length !== count) throw refusal(`${field}.data`, `has ${data.length} elements where the shape says ${count}`);
  const isNested = shape.length === 2 && Array.isArray(data[0]);
  return data.map((element, index) => {
    const text = isNested && Array.isArray(element) && element.length === 1 ? element[0] : element;
    if (typeof text !== "string") throw refusal(`${field}.data.${index}`, "must be a text");
    return text;
  });
}

export function binaryUnsupported(): Failure {
  return new Failure("unsupported", "Binary tensors are not supported: send the data as JSON (in tritonclient, binary_data=False).");
}

export function refusal(field: string, problem: string): Failure {
  return new Failure("invalid_request", `${field}: ${problem}`, { field });
}
