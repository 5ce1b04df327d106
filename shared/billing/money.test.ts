import Big from "big.js";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Currency, minorDigitsOf } from "./currency.ts";
import {
  minorOf,
  PICO_PER_MAJOR,
  Price,
  PricePer1000,
  parsePico,
  picoOf,
  picoOfMinor,
  printMinor,
  printPico,
  roundDivide,
} from "./money.ts";

test.each<[top: bigint, bottom: bigint, rounded: bigint]>([
  [5n, 10n, 1n],
  [-5n, 10n, -1n],
  [4n, 10n, 0n],
  [-4n, 10n, 0n],
  [15n, 10n, 2n],
  [25n, 10n, 3n],
  [5n, -10n, -1n],
  [1n, 3n, 0n],
  [2n, 3n, 1n],
  [0n, 7n, 0n],
])("%s / %s rounds to %s, half away from zero", (top, bottom, rounded) => {
  expect(roundDivide(top, bottom)).toBe(rounded);
});

test("rounding agrees with decimal arithmetic for any fraction", () => {
  fc.assert(
    fc.property(fc.bigInt(-(10n ** 40n), 10n ** 40n), fc.bigInt(1n, 10n ** 20n), (top, bottom) => {
      const whole = top / bottom; // the rest is compared as a decimal of enough digits
      const half = new Big(((top % bottom) * 2n).toString()).abs().gte(bottom.toString());

      expect(roundDivide(top, bottom)).toBe(whole + (half ? (top < 0n ? -1n : 1n) : 0n));
    }),
  );
});

test("the minor unit is the currency's", () => {
  expect(["EUR", "JPY", "KWD", "CLF"].map(minorDigitsOf)).toEqual([2, 0, 3, 4]);
  expect(minorOf(picoOf("12.345"), "EUR")).toBe(1235n);
  expect(minorOf(picoOf("12.5"), "JPY")).toBe(13n);
  expect(minorOf(-picoOf("12.345"), "EUR")).toBe(-1235n);
  expect(picoOfMinor(1235n, "EUR")).toBe(picoOf("12.35"));
  expect([printMinor(1230n, "EUR"), printMinor(-5n, "EUR"), printMinor(12n, "JPY"), printMinor(1n, "KWD")]).toEqual([
    "12.30",
    "-0.05",
    "12",
    "0.001",
  ]);
});

test.each(["eur", "EURO", "XXX", "DEM", "", "E R"])("'%s' is no currency", (code) => {
  expect(Currency.safeParse(code).success).toBe(false);
});

test("what is printed is read again as the same", () => {
  fc.assert(
    fc.property(fc.bigInt(0n, 10n ** 30n), (pico) => {
      expect(parsePico(printPico(pico))).toBe(pico);
    }),
  );
  expect([printPico(12_500_000n), printPico(-3n * PICO_PER_MAJOR), printPico(1n), printPico(0n)]).toEqual([
    "0.0000125",
    "-3",
    "0.000000000001",
    "0",
  ]);
});

test.each(["-1", "1e3", "NaN", "Infinity", "", " 1", "01", "1.", ".5", "1,5", "0.0000000000001", "1000000.1", "9".repeat(60), 1, null])(
  "a price of %j is refused",
  (price) => {
    expect(Price.safeParse(price).success).toBe(false);
  },
);

test("a price per 1,000 has nine decimals at most, so that one is a whole number of pico-units", () => {
  expect(PricePer1000.safeParse("0.000000001").success).toBe(true);
  expect(PricePer1000.safeParse("0.0000000001").success).toBe(false);
  expect(Price.safeParse("0.000000000001").success).toBe(true);
  expect(Price.safeParse("1000000").success).toBe(true);
});
