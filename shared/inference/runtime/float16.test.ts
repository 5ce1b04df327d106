import { expect, test } from "vitest";
import { toFloat32 } from "./float16.ts";

const dims = [1];
const float16Of = (bits: number) => toFloat32({ type: "float16", data: Uint16Array.of(bits), dims })?.[0];

test.each([
  [0x0000, 0],
  [0x3c00, 1],
  [0xc000, -2],
  [0x7bff, 65504],
  [0x0400, 2 ** -14],
  [0x0001, 2 ** -24],
  [0x3555, 0.333251953125],
  [0x7c00, Number.POSITIVE_INFINITY],
  [0xfc00, Number.NEGATIVE_INFINITY],
  [0x7e00, Number.NaN],
])("the bits %i are %f", (bits, value) => {
  expect(float16Of(bits)).toBe(value);
});

test("minus zero keeps its sign", () => {
  expect(Object.is(float16Of(0x8000), -0)).toBe(true);
});

test("tensors of any float become float32, and others nothing", () => {
  expect(toFloat32({ type: "float16", data: Uint16Array.of(0x3c00), dims })).toEqual(Float32Array.of(1));
  expect(toFloat32({ type: "float64", data: Float64Array.of(0.5), dims })).toEqual(Float32Array.of(0.5));
  expect(toFloat32({ type: "uint16", data: Uint16Array.of(1), dims })).toBeUndefined();
  expect(toFloat32({ type: "int64", data: BigInt64Array.of(1n), dims })).toBeUndefined();
});
