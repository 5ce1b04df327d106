import * as z from "zod";
import { parsePico } from "./money.ts";

/** Nobody means to give more at once. */
const AMOUNT_DIGITS_MAX = 15;
const AMOUNT_FORM = 'an amount is a decimal text such as "25.00", with 12 decimals and 15 digits before the point at most';

/** Money in the major unit of the tenant's currency. */
export const Amount = z
  .string({ error: `${AMOUNT_FORM}; a number would lose digits` })
  .max(AMOUNT_DIGITS_MAX + 13, AMOUNT_FORM)
  .refine((text) => isAmount(text), AMOUNT_FORM);

/** The same, or less than zero. */
export const SignedAmount = z
  .string({ error: `${AMOUNT_FORM}; a number would lose digits` })
  .max(AMOUNT_DIGITS_MAX + 14, AMOUNT_FORM)
  .refine((text) => isAmount(text.replace(/^-/, "")), `${AMOUNT_FORM}, negative to take away`);

function isAmount(text: string): boolean {
  const pico = parsePico(text);
  return pico !== undefined && pico > 0n && pico < 10n ** BigInt(AMOUNT_DIGITS_MAX + 12);
}
