import type { ForwardRequest, NamedTensor } from "../../../shared/inference/contract.ts";
import type { TensorFacts as GraphFacts, ReadyVersion } from "../../../shared/models/version.ts";
import { datatypeOf, elementTypeOf, isElementType, type SizedDatatype } from "../../../shared/oip/datatype.ts";
import { bytesOf, type WireTensor } from "../../../shared/oip/payload.ts";
import { refusal } from "../../../shared/oip/refusal.ts";
import type { TensorFacts } from "./task-answer.ts";

/** The bare graph's tensors in the protocol's words; those of types that we cannot carry are left out. */
export function graphOf({ facts }: ReadyVersion): { readonly inputs: readonly TensorFacts[]; readonly outputs: readonly TensorFacts[] } {
  const { inputs = [], outputs = [] } = facts.graph ?? {};
  return { inputs: inputs.flatMap(tensorFacts), outputs: outputs.flatMap(tensorFacts) };
}

/** Builds a run of the bare graph. Every input of it must be given, in the datatype and with the fixed dimensions that it declares. */
export function askForward(version: ReadyVersion, tensors: readonly WireTensor[], outputs: readonly string[]): ForwardRequest {
  const { inputs } = graphOf(version);
  const missing = inputs.find(({ name }) => !tensors.some((tensor) => tensor.name === name));
  if (missing !== undefined) throw refusal("inputs", `the input '${missing.name}' is missing`);
  const named = tensors.map((tensor, index) => namedTensor(tensor, inputs, `inputs.${index}`));
  return { task: "forward", tensors: named, ...(outputs.length === 0 ? {} : { outputs }) };
}

function tensorFacts({ name, type, dims }: GraphFacts): TensorFacts[] {
  return isElementType(type) ? [{ name, datatype: datatypeOf(type), shape: dims }] : [];
}

function namedTensor(tensor: WireTensor, inputs: readonly TensorFacts[], field: string): NamedTensor {
  const { name, datatype, shape } = tensor;
  const [facts, type] = [inputs.find((input) => input.name === name), elementTypeOf(datatype)];
  if (facts === undefined) throw refusal(`${field}.name`, `must be one of ${inputs.map((input) => input.name).join(", ")}`);
  if (facts.datatype !== datatype || type === undefined) throw refusal(`${field}.datatype`, `must be ${facts.datatype}, not ${datatype}`);
  const fits = shape.length === facts.shape.length && facts.shape.every((size, index) => size === -1 || size === shape[index]);
  if (!fits) throw refusal(`${field}.shape`, `must be [${facts.shape.join(",")}], where -1 is any size`);
  if (shape.includes(0)) throw refusal(`${field}.shape`, "must hold at least one element");
  const sized: SizedDatatype = datatypeOf(type);
  return { name, type, shape, bytes: bytesOf({ ...tensor, datatype: sized }, field) };
}
