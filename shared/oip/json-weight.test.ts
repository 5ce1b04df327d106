import fc from "fast-check";
import { expect, test } from "vitest";
import { weighJson } from "./json-weight.ts";

const weigh = (text: string) => weighJson(Buffer.from(text));

function partsOf(value: unknown): number {
  if (typeof value === "string") return 1;
  if (typeof value !== "object" || value === null) return 0;
  const names = Array.isArray(value) ? 0 : Object.keys(value).length;
  return Object.values(value).reduce((sum: number, each) => sum + partsOf(each), 1 + names);
}

function valuesOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 1;
  return Object.values(value).reduce((sum: number, each) => sum + valuesOf(each), 1);
}

test("parts are counted as a parser would make them, and values are never fewer", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(undefined, 2), (value, indent) => {
      const { parts, values } = weigh(JSON.stringify(value, null, indent));

      expect(parts).toBe(partsOf(value));
      expect(values).toBeGreaterThanOrEqual(valuesOf(value));
    }),
  );
});

test("what stands in a text weighs nothing, whatever ends it", () => {
  expect(weigh(String.raw`["a\"[{,\\", "1234567890123456789"]`)).toEqual({ parts: 3, values: 3, hasLongInteger: false });
});

test.each([
  ["1234567890123456", true],
  ["[-1234567890123456789,1]", true],
  ["123456789012345", false],
  ["[0.12345678901234567890]", false],
  ["[12345678,90123456]", false],
])("whether %s has a long integer: %s", (text, isLong) => {
  expect(weigh(text).hasLongInteger).toBe(isLong);
});

test.each(["", '"', '"\\', "[[[", "}{,"])("'%s' is no JSON and has a weight all the same", (text) => {
  expect(weigh(text).parts).toBeGreaterThanOrEqual(0);
});
