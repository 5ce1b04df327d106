import type { InferenceSession, Tensor as OrtTensor, TensorConstructor } from "onnxruntime-node";
import { Failure } from "../../base/failure.ts";
import type { Elements, Tensor, TensorShape } from "../runtime/session.ts";
import { isElementType } from "../runtime/tensor-bytes.ts";

/** Between ONNX Runtime's types and ours. Both of its packages, native and WASM, have the same ones; the caller brings its own constructor. */
export function toOrt(Constructor: TensorConstructor, { type, data, dims }: Tensor): OrtTensor {
  if (type !== "float16") return new Constructor(type, data, dims);
  // ONNX Runtime 1.30 reads float16 from 16-bit integers, while the tensor's constructor insists on the new Float16Array.
  return Object.assign(new Constructor("uint16", data, dims), { type });
}

export function fromOrt(tensor: OrtTensor | undefined, name: string): Tensor {
  if (tensor === undefined || !isElementType(tensor.type) || !ArrayBuffer.isView(tensor.data))
    throw new Failure("engine_failed", `The graph's output ${name} is ${tensor?.type ?? "missing"}.`);
  const { type, data, dims } = tensor;
  // Float16Array is given back as its bits, which every runtime and the wire know.
  const elements = type === "float16" ? new Uint16Array(data.buffer, data.byteOffset, data.length) : data;
  return { type, data: elements satisfies Elements, dims };
}

/** Fails with `invalid_request` if one of them is no tensor of numbers. */
export function inputsOf({ inputMetadata }: InferenceSession): TensorShape[] {
  return inputMetadata.map((input) => {
    const shape = shapeOf(input);
    if (shape === undefined) throw new Failure("invalid_request", `The graph's input ${input.name} is not a tensor of numbers.`);
    return shape;
  });
}

export function outputsOf({ outputMetadata }: InferenceSession): TensorShape[] {
  return outputMetadata.flatMap((output) => shapeOf(output) ?? []);
}

export function mapValues<In, Out>(record: Readonly<Record<string, In>>, change: (value: In, name: string) => Out): Record<string, Out> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value, name)]));
}

/** ONNX Runtime's own words, without the place on this machine's disk. */
export function reasonOf(cause: unknown, path: string): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  return (path === "" ? message : message.replaceAll(path, "the graph")).split("\n")[0]?.slice(0, 500) ?? "";
}

function shapeOf(value: InferenceSession.ValueMetadata): TensorShape | undefined {
  if (!value.isTensor || !isElementType(value.type)) return undefined;
  const dims = value.shape.map((dim) => (typeof dim === "number" && dim >= 0 ? dim : undefined));
  return { name: value.name, type: value.type, dims };
}
