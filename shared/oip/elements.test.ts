/// <reference lib="es2025.float16" />
import fc from "fast-check";
import { expect, test } from "vitest";
import { Datatype, ELEMENT_BYTES, type SizedDatatype } from "./datatype.ts";
import { bfloatBitsOf, bfloatOf, bytesOfElements, elementsOfBytes } from "./elements.ts";

const EXTREMES: Record<SizedDatatype, unknown[]> = {
  BOOL: [true, false],
  UINT8: [0, 255],
  UINT16: [0, 65_535],
  UINT32: [0, 2 ** 32 - 1],
  UINT64: [0, 7, 2n ** 64n - 1n],
  INT8: [-128, 127],
  INT16: [-32_768, 32_767],
  INT32: [-(2 ** 31), 2 ** 31 - 1],
  INT64: [-(2n ** 63n), -1, 2n ** 63n - 1n],
  FP16: [0, -1.5, 65_504, 2 ** -24],
  BF16: [0, -1.5, 2 ** 127],
  FP32: [0, -1.5, Math.fround(3.4028234e38)],
  FP64: [0.1, -1.7976931348623157e308],
};

test.each(Object.entries(EXTREMES))("%s goes to bytes and back as the same JSON", (datatype, elements) => {
  const type = datatype as SizedDatatype; // the table's keys are these
  const bytes = bytesOfElements(type, elements, "x");

  expect(bytes.byteLength).toBe(elements.length * ELEMENT_BYTES[type]);
  expect(JSON.stringify(elementsOfBytes(type, bytes))).toBe(`[${elements.map(String).join(",")}]`);
});

test("bytes are little-endian", () => {
  expect(Buffer.from(bytesOfElements("INT32", [1], "x")).toString("hex")).toBe("01000000");
  expect(Buffer.from(bytesOfElements("FP16", [1], "x")).toString("hex")).toBe("003c");
  expect(Buffer.from(bytesOfElements("BF16", [1], "x")).toString("hex")).toBe("803f");
});

const STRANGE: [SizedDatatype, unknown][] = [
  ...([1, 0, "true", null] as const).map((element): [SizedDatatype, unknown] => ["BOOL", element]),
  ["UINT8", 256],
  ["UINT8", -1],
  ["INT8", 1.5],
  ["INT32", 2 ** 31],
  ["INT32", "7"],
  ["INT32", true],
  ["INT32", [1]],
  ["UINT32", 12345678901234567890n],
  ["INT64", 2n ** 63n],
  ["INT64", 1e17],
  ["INT64", 0.5],
  ["UINT64", -1],
  ["UINT64", 2n ** 64n],
  ["FP16", 65_520],
  ["FP16", "1"],
  ["BF16", 3.4e38 * 1.01],
  ["FP32", 1e39],
  ["FP32", null],
  ["FP64", Number.POSITIVE_INFINITY],
];

test.each(STRANGE)("%s does not hold %s, which is refused with its place", (datatype, element) => {
  expect(() => bytesOfElements(datatype, [EXTREMES[datatype][0], element], "inputs.0")).toThrow(/^inputs\.0\.data\.1: must be /);
});

test("FP16 and BF16 take the nearest number that they have, and of two the even one", () => {
  expect(elementsOfBytes("FP16", bytesOfElements("FP16", [0.1, 1 + 2 ** -11, 1 + 3 * 2 ** -11], "x"))).toEqual([
    0.0999755859375,
    1,
    1 + 2 ** -9,
  ]);
  expect(elementsOfBytes("BF16", bytesOfElements("BF16", [1 + 2 ** -8, 1 + 3 * 2 ** -8, 1.01], "x"))).toEqual([1, 1 + 2 ** -6, 1.0078125]);
});

test("every BF16 is itself again", () => {
  for (let bits = 0; bits < 2 ** 16; bits += 1) {
    if (Number.isFinite(bfloatOf(bits))) expect(bfloatBitsOf(bfloatOf(bits))).toBe(bits);
  }
});

test("whatever a datatype holds is written and read without change", () => {
  const sized = Datatype.options.filter((each): each is SizedDatatype => each !== "BYTES" && each !== "BOOL");
  const property = fc.property(fc.constantFrom(...sized), fc.uint8Array({ minLength: 8, maxLength: 64 }), (datatype, random) => {
    const bytes = random.slice(0, random.byteLength - (random.byteLength % ELEMENT_BYTES[datatype]));
    const elements = elementsOfBytes(datatype, bytes);
    if (elements.some((each) => typeof each === "number" && !Number.isFinite(each))) return;

    const again = bytesOfElements(datatype, elements.map(unwrapped), "x");

    expect(Buffer.from(again).toString("hex")).toBe(Buffer.from(bytes).toString("hex"));
  });
  fc.assert(property, { numRuns: 500 });
});

/** What a JSON reader makes of it. */
function unwrapped(element: unknown): unknown {
  return typeof element === "object" ? BigInt(JSON.stringify(element)) : element;
}
