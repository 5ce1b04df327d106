/// <reference lib="es2025.float16" />
import { ELEMENT_BYTES, type SizedDatatype } from "./datatype.ts";
import { losslessInteger } from "./lossless-json.ts";
import { refusal } from "./refusal.ts";

/** How one datatype's elements are read from JSON and written to it; `write` and `read` work on little-endian bytes. */
type ElementForm = {
  readonly write: (view: DataView, offset: number, element: unknown) => boolean;
  readonly read: (view: DataView, offset: number) => number | boolean | object;
};

/** Elements of JSON, flat, as little-endian bytes. Refuses an element that the datatype cannot hold. */
export function bytesOfElements(datatype: SizedDatatype, elements: readonly unknown[], field: string): Uint8Array<ArrayBuffer> {
  const [size, form] = [ELEMENT_BYTES[datatype], FORMS[datatype]];
  const bytes = new Uint8Array(elements.length * size);
  const view = new DataView(bytes.buffer);
  for (const [index, element] of elements.entries()) {
    if (!form.write(view, index * size, element))
      throw refusal(`${field}.data.${index}`, `must be ${WORDS[datatype] ?? `an integer that ${datatype} holds`}`);
  }
  return bytes;
}

/** Little-endian bytes as elements that `JSON.stringify` writes without loss; numbers that JSON has no word for come as they are. */
export function elementsOfBytes(datatype: SizedDatatype, bytes: Uint8Array): (number | boolean | object)[] {
  const [size, form] = [ELEMENT_BYTES[datatype], FORMS[datatype]];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.byteLength / size }, (_, index) => form.read(view, index * size));
}

/** BF16 is the upper half of FP32. Rounds to the nearest, ties to even, as hardware does. */
export function bfloatBitsOf(value: number): number {
  const bits = bitsOf(value);
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

export function bfloatOf(bits: number): number {
  scratch.setUint32(0, bits << 16);
  return scratch.getFloat32(0);
}

const scratch = new DataView(new ArrayBuffer(4));

function bitsOf(value: number): number {
  scratch.setFloat32(0, value);
  return scratch.getUint32(0);
}

const WORDS: Partial<Record<SizedDatatype, string>> = {
  BOOL: "true or false",
  FP16: "a number that FP16 holds",
  BF16: "a number that BF16 holds",
  FP32: "a number that FP32 holds",
  FP64: "a number that FP64 holds",
};

const FORMS: Readonly<Record<SizedDatatype, ElementForm>> = {
  BOOL: {
    write: (view, offset, element) => {
      view.setUint8(offset, element === true ? 1 : 0);
      return typeof element === "boolean";
    },
    read: (view, offset) => view.getUint8(offset) !== 0,
  },
  UINT8: integer({ min: 0, max: 2 ** 8 - 1 }, "Uint8"),
  UINT16: integer({ min: 0, max: 2 ** 16 - 1 }, "Uint16"),
  UINT32: integer({ min: 0, max: 2 ** 32 - 1 }, "Uint32"),
  INT8: integer({ min: -(2 ** 7), max: 2 ** 7 - 1 }, "Int8"),
  INT16: integer({ min: -(2 ** 15), max: 2 ** 15 - 1 }, "Int16"),
  INT32: integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }, "Int32"),
  UINT64: longInteger({ min: 0n, max: 2n ** 64n - 1n }, "BigUint64"),
  INT64: longInteger({ min: -(2n ** 63n), max: 2n ** 63n - 1n }, "BigInt64"),
  FP16: {
    write: (view, offset, element) => {
      view.setFloat16(offset, asNumber(element), true);
      return Number.isFinite(view.getFloat16(offset, true));
    },
    read: (view, offset) => view.getFloat16(offset, true),
  },
  BF16: {
    write: (view, offset, element) => {
      const bits = bfloatBitsOf(asNumber(element));
      view.setUint16(offset, bits, true);
      return Number.isFinite(bfloatOf(bits));
    },
    read: (view, offset) => bfloatOf(view.getUint16(offset, true)),
  },
  FP32: {
    write: (view, offset, element) => {
      view.setFloat32(offset, asNumber(element), true);
      return Number.isFinite(view.getFloat32(offset, true));
    },
    read: (view, offset) => view.getFloat32(offset, true),
  },
  FP64: {
    write: (view, offset, element) => {
      view.setFloat64(offset, asNumber(element), true);
      return Number.isFinite(view.getFloat64(offset, true));
    },
    read: (view, offset) => view.getFloat64(offset, true),
  },
};

function integer(range: { min: number; max: number }, kind: "Uint8" | "Uint16" | "Uint32" | "Int8" | "Int16" | "Int32"): ElementForm {
  return {
    write: (view, offset, element) => {
      const value = asNumber(element);
      view[`set${kind}`](offset, value, true);
      return Number.isInteger(value) && value >= range.min && value <= range.max;
    },
    read: (view, offset) => view[`get${kind}`](offset, true),
  };
}

function longInteger(range: { min: bigint; max: bigint }, kind: "BigUint64" | "BigInt64"): ElementForm {
  return {
    write: (view, offset, element) => {
      // A number beyond 2^53 has lost digits already (such as 1e17), so only its exact form is believed.
      const value = typeof element === "bigint" ? element : Number.isSafeInteger(element) ? BigInt(asNumber(element)) : undefined;
      if (value === undefined || value < range.min || value > range.max) return false;
      view[`set${kind}`](offset, value, true);
      return true;
    },
    read: (view, offset) => losslessInteger(view[`get${kind}`](offset, true)),
  };
}

/** NaN for whatever is no number, so that one check at the end finds it. */
function asNumber(element: unknown): number {
  if (typeof element === "number") return element;
  return typeof element === "bigint" ? Number(element) : Number.NaN;
}
