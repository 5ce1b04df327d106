import { expect, test } from "vitest";
import { elementsOf, isElementType, tensorBytes } from "./tensor-bytes.ts";

test("elements and bytes are each other's copies, wherever the bytes stood", () => {
  const message = Uint8Array.of(0, 255, 255, 255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 0, 0, 0);
  const bytes = message.subarray(1);

  const data = elementsOf("int64", bytes);

  expect(data).toEqual(BigInt64Array.of(-1n, 2n));
  expect(data && tensorBytes({ type: "int64", data, dims: [2] })).toEqual(Uint8Array.from(bytes));
});

test("bytes that end inside of an element are none", () => {
  expect(elementsOf("int64", new Uint8Array(9))).toBeUndefined();
  expect(elementsOf("float16", new Uint8Array(3))).toBeUndefined();
  expect(elementsOf("bool", new Uint8Array(3))).toHaveLength(3);
});

test("the types are those of the contract", () => {
  expect(isElementType("float16")).toBe(true);
  expect(isElementType("string")).toBe(false);
  expect(isElementType("toString")).toBe(false);
});
