import { type Datatype, ELEMENT_BYTES, elementCountOf, type SizedDatatype } from "./datatype.ts";
import { bytesOfElements } from "./elements.ts";
import { refusal } from "./refusal.ts";

/** A tensor as it came: its elements in JSON, or its bytes after it. */
export type WireTensor = {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly payload: { readonly kind: "json"; readonly data: readonly unknown[] } | { readonly kind: "binary"; readonly bytes: Uint8Array };
};

const LENGTH_BYTES = 4;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The texts of a BYTES tensor, in row-major order. Refuses what is not UTF-8, and elements whose lengths lie. */
export function textsOf(tensor: WireTensor, field: string): string[] {
  const count = elementCountOf(tensor.shape, { field, elementsMax: elementsMaxOf(tensor) });
  if (tensor.payload.kind === "binary") return splitTexts(tensor.payload.bytes, count, field);
  return flatten(tensor.payload.data, tensor.shape, { field, count }).map((element, index) => {
    if (typeof element !== "string") throw refusal(`${field}.data.${index}`, "must be a text");
    return element;
  });
}

/** The elements of any other tensor as little-endian bytes. */
export function bytesOf(tensor: WireTensor & { readonly datatype: SizedDatatype }, field: string): Uint8Array {
  const { datatype, shape, payload } = tensor;
  const count = elementCountOf(shape, { field, elementsMax: elementsMaxOf(tensor) });
  if (payload.kind === "json") return bytesOfElements(datatype, flatten(payload.data, shape, { field, count }), field);
  const expected = count * ELEMENT_BYTES[datatype];
  if (payload.bytes.byteLength !== expected) {
    throw refusal(`${field}.parameters.binary_data_size`, `is ${payload.bytes.byteLength} where shape and datatype say ${expected}`);
  }
  if (datatype === "BOOL" && payload.bytes.some((byte) => byte > 1)) throw refusal(`${field}.data`, "must hold only the bytes 0 and 1");
  return payload.bytes;
}

/** The binary form of a BYTES tensor: each element after its length. */
export function joinTexts(texts: readonly string[]): Uint8Array {
  const encoded = texts.flatMap((text) => {
    const bytes = Buffer.from(text, "utf8");
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32LE(bytes.byteLength);
    return [length, bytes];
  });
  return Buffer.concat(encoded);
}

/** No honest tensor has more elements than what carried it has bytes or places; so no shape makes us count, or reserve, more. */
function elementsMaxOf({ payload, datatype }: WireTensor): number {
  if (payload.kind === "json") return Math.max(payload.data.length, JSON_ELEMENTS_MAX);
  return Math.max(payload.bytes.byteLength / (datatype === "BYTES" ? LENGTH_BYTES : ELEMENT_BYTES[datatype]), JSON_ELEMENTS_MAX);
}

/** A body of 10 MiB holds no more elements than this, two characters each; a larger shape is refused for what it is. */
const JSON_ELEMENTS_MAX = 5 * 1024 ** 2;

/** Elements in row-major order, whether they came flat or nested as the shape says. */
function flatten(
  data: readonly unknown[],
  shape: readonly number[],
  { field, count }: { field: string; count: number },
): readonly unknown[] {
  const isNested = shape.length > 1 && Array.isArray(data[0]);
  const flat = isNested ? flattenNested(data, shape, `${field}.data`) : data;
  if (flat.length !== count) throw refusal(`${field}.data`, `has ${flat.length} elements where the shape says ${count}`);
  return flat;
}

function flattenNested(data: readonly unknown[], shape: readonly number[], field: string): unknown[] {
  const [size, ...rest] = shape;
  if (data.length !== size) throw refusal(field, `has ${data.length} elements where the shape says ${size}`);
  if (rest.length === 0) return [...data];
  return data.flatMap((row, index) => {
    if (!Array.isArray(row)) throw refusal(`${field}.${index}`, "must be an array, as the shape says");
    return flattenNested(row, rest, `${field}.${index}`);
  });
}

function splitTexts(bytes: Uint8Array, count: number, field: string): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const texts: string[] = [];
  let offset = 0;
  for (let index = 0; index < count; index += 1) {
    const start = offset + LENGTH_BYTES;
    if (start > bytes.byteLength) throw refusal(`${field}.data`, `holds ${index} elements where the shape says ${count}`);
    offset = start + view.getUint32(offset, true);
    if (offset > bytes.byteLength) throw refusal(`${field}.data.${index}`, "is said to be longer than the tensor");
    texts.push(decodeText(bytes.subarray(start, offset), `${field}.data.${index}`));
  }
  if (offset !== bytes.byteLength) throw refusal(`${field}.data`, `has ${bytes.byteLength - offset} bytes behind its last element`);
  return texts;
}

/** A text of the protocol is UTF-8. */
export function decodeText(bytes: Uint8Array, field: string): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw refusal(field, "must be text in UTF-8");
  }
}
