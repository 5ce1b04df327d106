import { weighJson } from "./json-weight.ts";

/** JSON as Node 24 has it and TypeScript's library does not say yet (tc39/proposal-json-parse-with-source): numbers with their text, and texts of numbers written as they are. */
type SourcefulJson = {
  parse(text: string, reviver: (this: unknown, key: string, value: unknown, context: { readonly source?: string }) => unknown): unknown;
  rawJSON(text: string): object;
};
const json: SourcefulJson = JSON as unknown as SourcefulJson; // the tests of this file prove both

/** An integer of 16 digits or more outside a fraction: only where one stands, and not in a text, is the slower reading needed. */
const LONG_INTEGER = /(?<![\d.])\d{16,}(?![\d.eE])/;

/** Parses JSON; integers that a number cannot hold come as `bigint`. Throws as `JSON.parse` does. */
export function parseLossless(text: string): unknown {
  if (!LONG_INTEGER.test(text) || !weighJson(Buffer.from(text)).hasLongInteger) return JSON.parse(text);
  return json.parse(text, (_key, value, { source }) => {
    if (typeof value !== "number" || Number.isSafeInteger(value) || source === undefined) return value;
    return /^-?\d+$/.test(source) ? BigInt(source) : value;
  });
}

/** What `JSON.stringify` writes as this very integer. */
export function losslessInteger(value: bigint): number | object {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : json.rawJSON(String(value));
}
