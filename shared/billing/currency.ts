import * as z from "zod";

/** ISO 4217's currencies in use. A table, since what Intl knows differs between machines and an invoice must not. */
const TWO_DIGITS = `AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE CZK
  DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR
  LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD
  SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG`;
const NO_DIGITS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";
const THREE_DIGITS = "BHD IQD JOD KWD LYD OMR TND";
const FOUR_DIGITS = "CLF UYW";

const MINOR_DIGITS: ReadonlyMap<string, number> = new Map(
  [
    { codes: TWO_DIGITS, digits: 2 },
    { codes: NO_DIGITS, digits: 0 },
    { codes: THREE_DIGITS, digits: 3 },
    { codes: FOUR_DIGITS, digits: 4 },
  ].flatMap(({ codes, digits }) => codes.split(/\s+/).map((code) => [code, digits] as const)),
);

/** A currency's code, such as `EUR`. */
export const Currency = z
  .string()
  .regex(/^[A-Z]{3}$/, "a currency is three capital letters of ISO 4217, such as EUR")
  .refine((code) => MINOR_DIGITS.has(code), "ISO 4217 knows no such currency");
export type Currency = z.infer<typeof Currency>;

/** How many decimals the currency's minor unit has: 2 for EUR, 0 for JPY, 3 for KWD. */
export function minorDigitsOf(currency: Currency): number {
  const digits = MINOR_DIGITS.get(currency);
  if (digits === undefined) throw new Error(`'${currency}' is not a currency of ISO 4217`);
  return digits;
}
