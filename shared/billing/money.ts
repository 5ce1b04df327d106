import Big from "big.js";
import * as z from "zod";
import { type Currency, minorDigitsOf } from "./currency.ts";

/** Money is a `bigint` in pico-units, 1e-12 of the currency's major unit. */
export const PICO_DIGITS = 12;
export const PICO_PER_MAJOR = 10n ** 12n;
/** Nobody means a price of a million for one of anything; who types one has lost a decimal point. */
export const PRICE_MAJOR_MAX = 1_000_000n;

const DECIMAL = /^(0|[1-9]\d*)(\.\d+)?$/;
/** Longer texts are refused before they are read. */
const DECIMAL_CHARACTERS_MAX = 40;

/** The one rounding function: half away from zero. */
export function roundDivide(numerator: bigint, denominator: bigint): bigint {
  const [top, bottom] = denominator < 0n ? [-numerator, -denominator] : [numerator, denominator];
  const size = ((top < 0n ? -top : top) * 2n + bottom) / (bottom * 2n);
  return top < 0n ? -size : size;
}

/** Rounds, once, to the currency's minor unit. */
export function minorOf(amountPico: bigint, currency: Currency): bigint {
  return roundDivide(amountPico, picoPerMinor(currency));
}

export function picoOfMinor(amountMinor: bigint, currency: Currency): bigint {
  return amountMinor * picoPerMinor(currency);
}

/** A decimal in the major unit, such as `0.0000125`. Undefined for what is none, is negative or has more than 12 decimals. */
export function parsePico(text: string): bigint | undefined {
  if (text.length > DECIMAL_CHARACTERS_MAX || !DECIMAL.test(text)) return undefined;
  const pico = new Big(text).times(new Big(PICO_PER_MAJOR.toString()));
  return pico.eq(pico.round(0, Big.roundDown)) ? BigInt(pico.toFixed(0)) : undefined;
}

/** The shortest decimal in the major unit: `0.0000125`, `12`, `-3.5`. */
export function printPico(amountPico: bigint): string {
  return new Big(amountPico.toString()).div(new Big(PICO_PER_MAJOR.toString())).toFixed();
}

/** With all of the currency's decimals and none more: `12.30` in EUR, `12` in JPY. */
export function printMinor(amountMinor: bigint, currency: Currency): string {
  const digits = minorDigitsOf(currency);
  return new Big(amountMinor.toString()).div(new Big(10).pow(digits)).toFixed(digits);
}

/** A decimal text of money that is not negative, with so many decimals at most. */
function decimal(digits: number) {
  const form = `a price is a decimal text such as "0.0000125": not negative, ${digits} decimals at most`;
  return z
    .string({ error: `${form}; a number would lose digits` })
    .max(DECIMAL_CHARACTERS_MAX, form)
    .regex(new RegExp(`^(0|[1-9]\\d*)(\\.\\d{1,${digits}})?$`), form)
    .refine((text) => (parsePico(text) ?? 0n) <= PRICE_MAJOR_MAX * PICO_PER_MAJOR, `a price is ${PRICE_MAJOR_MAX} at most`);
}

/** What one of something costs, in the major unit of the book's currency. */
export const Price = decimal(PICO_DIGITS);

/** What a thousand of something costs: three decimals fewer, so that one of it is a whole number of pico-units and nothing is ever rounded on the way. */
export const PricePer1000 = decimal(PICO_DIGITS - 3);

/** A price that its schema has checked, in pico-units. */
export function picoOf(price: string): bigint {
  const pico = parsePico(price);
  if (pico === undefined) throw new Error(`'${price}' is not a price`);
  return pico;
}

function picoPerMinor(currency: Currency): bigint {
  return 10n ** BigInt(PICO_DIGITS - minorDigitsOf(currency));
}
