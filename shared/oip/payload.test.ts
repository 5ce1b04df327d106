import fc from "fast-check";
import { expect, test } from "vitest";
import type { Datatype } from "./datatype.ts";
import { createTensorReader, joinFrame, parseHeaderLength, splitFrame } from "./frame.ts";
import { bytesOf, joinTexts, textsOf } from "./payload.ts";

const json = <D extends Datatype>(datatype: D, shape: number[], data: unknown[]) => ({
  ...{ name: "x", datatype, shape },
  payload: { kind: "json" as const, data },
});
const binary = <D extends Datatype>(datatype: D, shape: number[], bytes: Uint8Array) => ({
  ...{ name: "x", datatype, shape },
  payload: { kind: "binary" as const, bytes },
});
const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");

test("elements may be flat, or nested as the shape says", () => {
  const flat = bytesOf(json("INT32", [2, 1, 3], [1, 2, 3, 4, 5, 6]), "x");

  expect(bytesOf(json("INT32", [2, 1, 3], [[[1, 2, 3]], [[4, 5, 6]]]), "x")).toEqual(flat);
  expect([...new Int32Array(flat.slice().buffer)]).toEqual([1, 2, 3, 4, 5, 6]);
  expect(bytesOf(json("INT32", [], [7]), "x")).toHaveLength(4);
});

const wrongShapes: [RegExp, number[], unknown[]][] = [
  [/^x\.data: has 3 elements where the shape says 4/, [2, 2], [1, 2, 3]],
  [/^x\.data: has 1 elements where the shape says 3/, [3], [1]],
  [/^x\.data\.1: has 1 elements where the shape says 2/, [2, 2], [[1, 2], [3]]],
  [/^x\.data\.1: must be an array/, [2, 2], [[1, 2], 3]],
  [/^x\.data\.0: must be an integer/, [2], [[1], [2]]],
  [/^x\.shape: holds more than/, [2 ** 31 - 1, 2 ** 31 - 1, 2 ** 31 - 1], [1]],
  [/^x\.data: has 1 elements where the shape says 0/, [0, 2 ** 31 - 1], [1]],
];

test.each(wrongShapes)("elements that do not fit their shape are refused with %s", (message, shape, data) => {
  expect(() => bytesOf(json("INT32", shape, data), "x")).toThrow(message);
});

test("a binary tensor has exactly the bytes that its shape needs", () => {
  expect(bytesOf(binary("FP16", [1, 2], hex("003c 0000")), "x")).toHaveLength(4);
  expect(() => bytesOf(binary("INT64", [1, 2], hex("01")), "x")).toThrow(/^x\.parameters\.binary_data_size: is 1 where .* 16/);
  expect(() => bytesOf(binary("BOOL", [2], hex("01 02")), "x")).toThrow(/^x\.data: must hold only the bytes 0 and 1/);
});

test("texts of any language go through the binary form, empty ones and marks too", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "grapheme" })), (texts) => {
      expect(textsOf(binary("BYTES", [texts.length], joinTexts(texts)), "x")).toEqual(texts);
    }),
  );
  expect(textsOf(binary("BYTES", [1], joinTexts(["\uFEFFx\u0000"])), "x")).toEqual(["\uFEFFx\u0000"]);
});

const lyingTexts: [RegExp, string, number][] = [
  [/^x\.data\.0: is said to be longer/, "05000000 6162", 1],
  [/^x\.data\.0: is said to be longer/, "ffffffff 6162", 1],
  [/^x\.data: has 1 bytes behind its last element/, "01000000 61 62", 1],
  [/^x\.data: holds 1 elements where the shape says 2/, "01000000 61", 2],
  [/^x\.data: holds 1 elements where the shape says 2/, "01000000 61 0000", 2],
  [/^x\.data\.0: must be text in UTF-8/, "02000000 c328", 1],
  [/^x\.shape: holds more than/, "01000000 61", 2 ** 31 - 1],
];

test.each(lyingTexts)("a BYTES tensor that lies is refused with %s", (message, bytes, count) => {
  expect(() => textsOf(binary("BYTES", [count], hex(bytes)), "x")).toThrow(message);
});

test("random bytes are texts or a refusal, never anything else", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(5), (bytes, count) => {
      try {
        expect(textsOf(binary("BYTES", [count], bytes), "x")).toHaveLength(count);
      } catch (error) {
        expect(error).toMatchObject({ code: "invalid_request" });
      }
    }),
  );
});

test("a body is JSON and tensors, and comes apart as it was put together", () => {
  const { body, headerBytes } = joinFrame({ ü: 1 }, [hex("0102"), hex("03")]);

  const { json: header, tensors } = splitFrame(body, headerBytes);

  expect(header).toEqual({ ü: 1 });
  const reader = createTensorReader(tensors);
  expect([...reader.take(2, "a")]).toEqual([1, 2]);
  expect(() => reader.take(2, "b")).toThrow("b: is 2, but 1 bytes are left in the body");
  expect(() => reader.end()).toThrow("The body has 1 bytes that belong to no tensor.");
  expect([...reader.take(1, "b")]).toEqual([3]);
  reader.end();
});

test("a header's length that lies is refused in either direction", () => {
  const { body, headerBytes } = joinFrame({ a: 1 }, [hex("01")]);

  expect(() => splitFrame(body, body.byteLength + 1)).toThrow(/more than the body's 8 bytes/);
  expect(() => splitFrame(body, headerBytes - 1)).toThrow(/not valid JSON/);
  expect(() => splitFrame(body, headerBytes + 1)).toThrow(/not valid JSON/);
  for (const text of ["-1", "1.5", "x", "", "99999999999", "0x10"])
    expect(() => parseHeaderLength(text)).toThrow(/must be a number of bytes/);
  expect(parseHeaderLength(undefined)).toBeUndefined();
});

test("a body that is no UTF-8 is refused", () => {
  expect(() => splitFrame(hex("22ff22"))).toThrow("The body is not valid UTF-8.");
});
