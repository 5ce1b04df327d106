import { Failure } from "../base/failure.ts";
import type { Datatype } from "../oip/datatype.ts";
import { bytesOfElements, elementsOfBytes } from "../oip/elements.ts";
import { bytesOf, joinTexts, textsOf, type WireTensor } from "../oip/payload.ts";

/** What a datatype's elements are in JavaScript, in row-major order; FP16 and BF16 are widened, since every one of them is a 32-bit float too. */
export type DataOf = {
  readonly BOOL: readonly boolean[];
  readonly UINT8: Uint8Array;
  readonly UINT16: Uint16Array;
  readonly UINT32: Uint32Array;
  readonly UINT64: BigUint64Array;
  readonly INT8: Int8Array;
  readonly INT16: Int16Array;
  readonly INT32: Int32Array;
  readonly INT64: BigInt64Array;
  readonly FP16: Float32Array;
  readonly BF16: Float32Array;
  readonly FP32: Float32Array;
  readonly FP64: Float64Array;
  readonly BYTES: readonly string[];
};

/** A tensor of a request or an answer. */
export type OipTensor = {
  [D in Datatype]: { readonly name: string; readonly datatype: D; readonly shape: readonly number[]; readonly data: DataOf[D] };
}[Datatype];

/** A column of texts, `[n]`. */
export function texts(name: string, data: readonly string[]): OipTensor {
  return { name, datatype: "BYTES", shape: [data.length], data };
}

/** Token ids and the like, `shape` row by row. */
export function integers(name: string, shape: readonly number[], data: Iterable<number | bigint>): OipTensor {
  return { name, datatype: "INT64", shape, data: BigInt64Array.from(data, BigInt) };
}

/** An answer's tensor of this name, if it is of this datatype; else a failure that says what there is. */
export function dataOf<D extends Datatype>(tensors: readonly OipTensor[], name: string, datatype: D): DataOf[D] {
  const tensor = tensors.find((each) => each.name === name);
  if (tensor?.datatype === datatype) return tensor.data as DataOf[D]; // the union ties data to datatype
  const there = tensors.map((each) => `${each.name} (${each.datatype})`).join(", ");
  throw new Failure("engine_failed", `The answer has no output '${name}' of ${datatype}, but ${there}.`);
}

/** The binary form. */
export function tensorBytes(tensor: OipTensor): Uint8Array {
  switch (tensor.datatype) {
    case "BYTES":
      return joinTexts(tensor.data);
    case "BOOL":
      return bytesOfElements("BOOL", tensor.data, tensor.name);
    case "FP16":
    case "BF16":
      return bytesOfElements(tensor.datatype, [...tensor.data], tensor.name);
    default:
      return new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
  }
}

/** What `JSON.stringify` writes of a tensor without loss. */
export function tensorElements(tensor: OipTensor): readonly unknown[] {
  return tensor.datatype === "BYTES" ? tensor.data : elementsOfBytes(tensor.datatype, tensorBytes(tensor));
}

/** Reads a tensor of an answer, whatever form it came in; what does not fit its shape is refused. */
export function readTensor(tensor: WireTensor, field: string): OipTensor {
  const { name, shape, datatype } = tensor;
  if (datatype === "BYTES") return { name, shape, datatype, data: textsOf(tensor, field) };
  const bytes = Uint8Array.from(bytesOf({ ...tensor, datatype }, field)); // a copy begins where any typed array may
  const widened = () => Float32Array.from(elementsOfBytes(datatype, bytes), Number);
  switch (datatype) {
    case "BOOL":
      return { name, shape, datatype, data: Array.from(bytes, (byte) => byte === 1) };
    case "UINT8":
      return { name, shape, datatype, data: bytes };
    case "UINT16":
      return { name, shape, datatype, data: new Uint16Array(bytes.buffer) };
    case "UINT32":
      return { name, shape, datatype, data: new Uint32Array(bytes.buffer) };
    case "UINT64":
      return { name, shape, datatype, data: new BigUint64Array(bytes.buffer) };
    case "INT8":
      return { name, shape, datatype, data: new Int8Array(bytes.buffer) };
    case "INT16":
      return { name, shape, datatype, data: new Int16Array(bytes.buffer) };
    case "INT32":
      return { name, shape, datatype, data: new Int32Array(bytes.buffer) };
    case "INT64":
      return { name, shape, datatype, data: new BigInt64Array(bytes.buffer) };
    case "FP16":
      return { name, shape, datatype, data: widened() };
    case "BF16":
      return { name, shape, datatype, data: widened() };
    case "FP32":
      return { name, shape, datatype, data: new Float32Array(bytes.buffer) };
    case "FP64":
      return { name, shape, datatype, data: new Float64Array(bytes.buffer) };
  }
}
