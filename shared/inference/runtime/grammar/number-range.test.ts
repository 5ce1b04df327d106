import fc from "fast-check";
import { expect, test } from "vitest";
import { isNumber, mayBecomeNumber, numberRange } from "./number-range.ts";
import { createDraw } from "./random.fixture.ts";

const SEED = 4;

function writable(text: string, range: ReturnType<typeof numberRange>): boolean {
  return Array.from(text).every((_, index) => mayBecomeNumber(range, text.slice(0, index + 1))) && isNumber(range, text);
}

test("an integer from -5 to 12 is one of these eighteen texts", () => {
  const range = numberRange({
    lower: [{ value: -5, isExclusive: false }],
    upper: [{ value: 12, isExclusive: false }],
    isInteger: true,
  });
  const texts = Array.from({ length: 2_001 }, (_, index) => String(index - 1_000));

  const written = [...texts, "-0", "00", "01", "1.0", "1e0", "+1", "", "-", "1."].filter((text) => writable(text, range));

  expect(written).toEqual(Array.from({ length: 18 }, (_, index) => String(index - 5)));
});

test("an exclusive bound is not reached, however many nines are written", () => {
  const range = numberRange({ lower: [{ value: 0, isExclusive: true }], upper: [{ value: 1, isExclusive: true }], isInteger: false });

  expect(["0.5", "0.99999999999999", "0.00000000000001"].map((text) => writable(text, range))).toEqual([true, true, true]);
  expect(["0", "1", "0.0", "1.0", "0.999999999999999999", "-0.1", "-0"].map((text) => writable(text, range))).toEqual(Array(7).fill(false));
});

test("without bounds exponents are written, of finite numbers only", () => {
  const range = numberRange({ lower: [], upper: [], isInteger: false });

  expect(["0", "-1.5", "1e5", "1.25E-9", "9e+99"].map((text) => writable(text, range))).toEqual(Array(5).fill(true));
  expect(["1e", "1e+", "1e100", "01", "1.e5", ".5", "-", "-0", "--1"].map((text) => writable(text, range))).toEqual(Array(9).fill(false));
});

test("a range that no number of 15 digits reaches is known to be empty", () => {
  const between = (lower: number, upper: number, isInteger: boolean) =>
    mayBecomeNumber(
      numberRange({ lower: [{ value: lower, isExclusive: false }], upper: [{ value: upper, isExclusive: false }], isInteger }),
      "",
    );

  expect(between(0.2, 0.8, true)).toBe(false);
  expect(between(1e-20, 2e-20, false)).toBe(false);
  expect(between(1e18, 2e18, true)).toBe(false);
  expect(between(-0.8, -0.2, false)).toBe(true);
  expect(between(-1e308, 1e308, false)).toBe(true);
});

test("a prefix is followed if and only if some digit or the end follows it, and every number that is written is read within the bounds", () => {
  const bound = fc.oneof(
    fc.integer({ min: -300, max: 300 }),
    fc.double({ min: -20, max: 20, noNaN: true }),
    fc.constantFrom(1e-7, 123456.789, -1e21),
  );
  fc.assert(
    fc.property(bound, bound, fc.boolean(), fc.boolean(), fc.boolean(), fc.nat(), (a, b, isInteger, low, high, seed) => {
      const [min, max] = a < b ? [a, b] : [b, a];
      const range = numberRange({ lower: [{ value: min, isExclusive: low }], upper: [{ value: max, isExclusive: high }], isInteger });
      fc.pre(mayBecomeNumber(range, ""));

      const draw = createDraw(seed);
      let text = "";
      while (true) {
        const next = Array.from("-0123456789.eE+").filter((character) => mayBecomeNumber(range, text + character));
        if (isNumber(range, text) && (next.length === 0 || draw(3) === 0)) break;
        expect(next, `after ${JSON.stringify(text)}`).not.toEqual([]);
        text += next[draw(next.length)];
      }

      const value: unknown = JSON.parse(text);
      expect(value).toSatisfy((number: number) => (low ? number > min : number >= min) && (high ? number < max : number <= max));
      expect(Number.isInteger(value) || !isInteger).toBe(true);
    }),
    { seed: SEED, numRuns: 1_000 },
  );
});
