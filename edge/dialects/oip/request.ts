import * as z from "zod";
import { Failure } from "../../../shared/base/failure.ts";
import { Datatype, Shape } from "../../../shared/oip/datatype.ts";
import { createTensorReader, HEADER_LENGTH } from "../../../shared/oip/frame.ts";
import type { WireTensor } from "../../../shared/oip/payload.ts";
import { refusal } from "../../../shared/oip/refusal.ts";
import { checked } from "../../http.ts";
import { Parameters } from "./parameters.ts";
import { readFrame } from "./read-frame.ts";

const TENSORS_MAX = 16;
const NAME_CHARS_MAX = 200;

const TensorParameters = z.looseObject({
  binary_data_size: z.int().min(0).optional(),
  binary_data: z.boolean().optional(),
  classification: z.int().positive().optional(),
});

const InputTensor = z.object({
  name: z.string().max(NAME_CHARS_MAX),
  shape: Shape,
  datatype: Datatype,
  parameters: TensorParameters.optional(),
  data: z
    .array(z.unknown())
    .optional()
    .meta({ description: "Row-major, flat or nested as the shape says; absent where it follows the JSON in binary" }),
});
type InputTensor = z.infer<typeof InputTensor>;

const RequestedOutput = z.object({ name: z.string().max(NAME_CHARS_MAX), parameters: TensorParameters.optional() });

/** https://github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md */
export const InferRequest = z
  .object({
    id: z.string().max(NAME_CHARS_MAX).optional(),
    parameters: Parameters.optional(),
    inputs: z.array(InputTensor).min(1).max(TENSORS_MAX),
    outputs: z.array(RequestedOutput).max(TENSORS_MAX).optional(),
  })
  .meta({ id: "InferRequest" });

export type WantedOutput = { readonly name: string; readonly isBinary: boolean; readonly classes: number | undefined };

/** A request once it is read, whatever form it came in. */
export type Asked = {
  readonly id: string | undefined;
  readonly parameters: Parameters;
  /** `raw`: the body is the only input, in a batch of one. */
  readonly inputs:
    | { readonly kind: "tensors"; readonly tensors: readonly WireTensor[] }
    | { readonly kind: "raw"; readonly bytes: Uint8Array };
  /** In the caller's order; empty, all of them. */
  readonly outputs: readonly WantedOutput[];
  /** Whether outputs that nothing is said of come in binary. */
  readonly isBinary: boolean;
};

/** Reads a body: JSON, JSON followed by tensors, or a single raw tensor (a header length of 0). */
export function readAsked(body: Uint8Array, headerBytes: number | undefined): Asked {
  if (headerBytes === 0) {
    return { id: undefined, parameters: {}, inputs: { kind: "raw", bytes: body }, outputs: [], isBinary: true };
  }
  const { json, tensors } = readFrame(body, headerBytes);
  const { id, parameters = {}, inputs, outputs = [] } = checked(json, InferRequest);
  const isBinary = parameters.binary_data_output ?? false;
  return {
    ...{ id, parameters, isBinary },
    inputs: { kind: "tensors", tensors: tensorsOf(inputs, tensors) },
    outputs: wantedOf(outputs, isBinary),
  };
}

function tensorsOf(inputs: readonly InputTensor[], bytes: Uint8Array): WireTensor[] {
  const reader = createTensorReader(bytes);
  const tensors = inputs.map((input, index): WireTensor => {
    const field = `inputs.${index}`;
    const [{ name, shape, datatype, data }, size] = [input, input.parameters?.binary_data_size];
    refuseSharedMemory(input.parameters);
    if (inputs.findIndex((each) => each.name === name) < index) throw refusal(`${field}.name`, `'${name}' is given twice`);
    if (size === undefined) {
      if (data === undefined) throw refusal(`${field}.data`, "is missing");
      return { name, shape, datatype, payload: { kind: "json", data } };
    }
    if (data !== undefined) throw refusal(`${field}.data`, "may not stand beside binary_data_size");
    const taken = reader.take(size, `${field}.parameters.binary_data_size`);
    return { name, shape, datatype, payload: { kind: "binary", bytes: taken } };
  });
  reader.end();
  return tensors;
}

function wantedOf(outputs: readonly z.infer<typeof RequestedOutput>[], isBinary: boolean): WantedOutput[] {
  return outputs.map(({ name, parameters = {} }, index) => {
    refuseSharedMemory(parameters);
    if (outputs.findIndex((each) => each.name === name) < index) throw refusal(`outputs.${index}.name`, `'${name}' is asked for twice`);
    return { name, isBinary: parameters.binary_data ?? isBinary, classes: parameters.classification };
  });
}

function refuseSharedMemory(parameters: z.infer<typeof TensorParameters> = {}) {
  if (!Object.keys(parameters).some((name) => name.startsWith("shared_memory_"))) return;
  throw new Failure(
    "invalid_request",
    `Shared memory is not supported: a client is never on this machine. Send binary tensors (${HEADER_LENGTH}).`,
  );
}
