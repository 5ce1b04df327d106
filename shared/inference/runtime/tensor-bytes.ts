import type { ElementType } from "../contract.ts";
import type { Elements, Tensor } from "./session.ts";

/** Makes the elements of a type from bytes of their own: little-endian, as all machines that run this are. */
const ELEMENTS: Readonly<Record<ElementType, (buffer: ArrayBuffer) => Elements>> = {
  bool: (buffer) => new Uint8Array(buffer),
  uint8: (buffer) => new Uint8Array(buffer),
  uint16: (buffer) => new Uint16Array(buffer),
  uint32: (buffer) => new Uint32Array(buffer),
  uint64: (buffer) => new BigUint64Array(buffer),
  int8: (buffer) => new Int8Array(buffer),
  int16: (buffer) => new Int16Array(buffer),
  int32: (buffer) => new Int32Array(buffer),
  int64: (buffer) => new BigInt64Array(buffer),
  float16: (buffer) => new Uint16Array(buffer),
  float32: (buffer) => new Float32Array(buffer),
  float64: (buffer) => new Float64Array(buffer),
};

export const isElementType = (type: string): type is ElementType => Object.hasOwn(ELEMENTS, type);

export function bytesPerElement(type: ElementType): number {
  return ELEMENTS[type](new ArrayBuffer(0)).BYTES_PER_ELEMENT;
}

/** How many elements a tensor of this shape has. */
export function elementCountOf(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

/** A copy of the bytes as elements, since they may stand anywhere in a message; undefined if they end in the middle of one. */
export function elementsOf(type: ElementType, bytes: Uint8Array): Elements | undefined {
  if (bytes.length % bytesPerElement(type) !== 0) return undefined;
  const own = new ArrayBuffer(bytes.length);
  new Uint8Array(own).set(bytes);
  return ELEMENTS[type](own);
}

/** A tensor's elements as bytes, with memory of their own. */
export function tensorBytes({ data }: Tensor): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
}
