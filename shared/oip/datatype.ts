import * as z from "zod";
import type { ElementType } from "../inference/contract.ts";
import { refusal } from "./refusal.ts";

/** The protocol's, and Triton's BF16. */
export const Datatype = z.enum([
  ...(["BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64"] as const),
  ...(["FP16", "BF16", "FP32", "FP64", "BYTES"] as const),
]);
export type Datatype = z.infer<typeof Datatype>;

/** Datatypes whose elements have one size; elements of BYTES have any. */
export type SizedDatatype = Exclude<Datatype, "BYTES">;

export const ELEMENT_BYTES: Readonly<Record<SizedDatatype, number>> = {
  ...{ BOOL: 1, UINT8: 1, UINT16: 2, UINT32: 4, UINT64: 8, INT8: 1, INT16: 2, INT32: 4, INT64: 8 },
  ...{ FP16: 2, BF16: 2, FP32: 4, FP64: 8 },
};

export const RANK_MAX = 8;
/** Elements along one dimension: what ONNX runtimes count with. */
export const DIMENSION_MAX = 2 ** 31 - 1;
export const Shape = z.array(z.int().min(0).max(DIMENSION_MAX)).max(RANK_MAX);

const OF_ELEMENT: Readonly<Record<ElementType, SizedDatatype>> = {
  ...{ bool: "BOOL", uint8: "UINT8", uint16: "UINT16", uint32: "UINT32", uint64: "UINT64" },
  ...{ int8: "INT8", int16: "INT16", int32: "INT32", int64: "INT64" },
  ...{ float16: "FP16", float32: "FP32", float64: "FP64" },
};

/** Whether a graph's word for a type is one that we can carry. */
export function isElementType(type: string): type is ElementType {
  return Object.hasOwn(OF_ELEMENT, type);
}

/** The protocol's word for what a graph computes with. */
export function datatypeOf(type: ElementType): SizedDatatype {
  return OF_ELEMENT[type];
}

/** The other way round; no graph that we run computes with BF16 or texts. */
export function elementTypeOf(datatype: Datatype): ElementType | undefined {
  return ELEMENT_TYPES.find((type) => OF_ELEMENT[type] === datatype);
}

/** How many elements a shape holds. Refuses more than `elementsMax`, so that no product overflows. */
export function elementCountOf(shape: readonly number[], { field, elementsMax }: { field: string; elementsMax: number }): number {
  if (shape.includes(0)) return 0;
  let count = 1;
  for (const size of shape) {
    count *= size;
    if (count > elementsMax) throw refusal(`${field}.shape`, `holds more than ${elementsMax} elements`);
  }
  return count;
}

const ELEMENT_TYPES: readonly ElementType[] = [
  ...(["bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"] as const),
  ...(["float16", "float32", "float64"] as const),
];
