import type { NamedTensor } from "../../../shared/inference/contract.ts";
import { datatypeOf, type SizedDatatype } from "../../../shared/oip/datatype.ts";

/** A tensor on its way out. */
export type OutputTensor = {
  readonly name: string;
  readonly shape: readonly number[];
  readonly content:
    | { readonly datatype: "BYTES"; readonly texts: readonly string[] }
    /** Little-endian. */
    | { readonly datatype: SizedDatatype; readonly bytes: Uint8Array };
  /** What the elements of one row (along the last dimension) are called, where that is known. */
  readonly labelsOf?: (row: number) => readonly string[] | undefined;
};

export function textTensor(name: string, shape: readonly number[], texts: readonly string[]): OutputTensor {
  return { name, shape, content: { datatype: "BYTES", texts } };
}

/** One JSON text for each row. */
export function jsonTensor(name: string, rows: readonly unknown[]): OutputTensor {
  return textTensor(
    name,
    [rows.length],
    rows.map((row) => JSON.stringify(row)),
  );
}

export function floatTensor(name: string, shape: readonly number[], values: readonly number[] | Float32Array): OutputTensor {
  return { name, shape, content: { datatype: "FP32", bytes: viewOf(Float32Array.from(values)) } };
}

export function integerTensor(name: string, shape: readonly number[], values: readonly number[]): OutputTensor {
  return { name, shape, content: { datatype: "INT32", bytes: viewOf(Int32Array.from(values)) } };
}

export function graphTensor({ name, type, shape, bytes }: NamedTensor): OutputTensor {
  return { name, shape, content: { datatype: datatypeOf(type), bytes } };
}

/** Every machine that Weir runs on is little-endian, as the protocol is. */
function viewOf({ buffer, byteOffset, byteLength }: Float32Array | Int32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
