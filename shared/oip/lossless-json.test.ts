import fc from "fast-check";
import { expect, test } from "vitest";
import { losslessInteger, parseLossless } from "./lossless-json.ts";

test("integers of 64 bits are read and written digit by digit", () => {
  const text = '{"a":[9223372036854775807,-9223372036854775808,18446744073709551615,1,1.5,9007199254740993]}';

  const value = parseLossless(text);

  expect(value).toEqual({ a: [9223372036854775807n, -9223372036854775808n, 18446744073709551615n, 1, 1.5, 9007199254740993n] });
  const written = (value as { a: (number | bigint)[] }).a.map((each) => (typeof each === "bigint" ? losslessInteger(each) : each)); // as matched above
  expect(JSON.stringify({ a: written })).toBe(text);
});

test("numbers that are no long integers, and digits in texts, stay what they are", () => {
  const text = '{"a":"id 12345678901234567890","b":0.12345678901234567,"c":1e300,"d":12345678901234567890.5}';

  expect(parseLossless(text)).toEqual(JSON.parse(text));
});

test("any bigint survives, and small ones are plain numbers", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), (value) => {
      const [again = 0] = parseLossless(JSON.stringify([losslessInteger(value)])) as [number | bigint]; // one element was written

      expect(BigInt(again)).toBe(value);
    }),
  );
  expect(losslessInteger(7n)).toBe(7);
});
