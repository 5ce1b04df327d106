import type { WireItem, WireValue } from "../dynamo/lean-client.ts";
import { ROW_SCHEMA, type UsageRow } from "./row.ts";

/** Attribute names are short because each row is one write unit only below 1 KB, and rows are kept for years. */
const TEXTS = { keyId: "k", model: "mo", arm: "ab", tier: "tr", dialect: "di", task: "ta", outcome: "oc", fingerprint: "h" } as const;
const NUMBERS = {
  version: "v",
  servedVersion: "sv",
  inputs: "q",
  inputTokens: "ti",
  outputTokens: "to",
  computeMs: "ms",
  priceVersion: "pv",
  acceptedAtMs: "a",
} as const;

/** What usage reports need of a stored row. */
export type StoredUsage = Pick<UsageRow, "model" | "servedVersion" | "arm" | "inputs" | "inputTokens" | "outputTokens" | "computeMs"> & {
  readonly acceptedAtMs: number;
};

/** A settled row (`st` S) as it is stored; `rv` is the schema of its attributes. */
export function settledItem(address: { pk: string; sk: string }, row: UsageRow & { acceptedAtMs: number }): WireItem {
  const item: Record<string, WireValue> = { pk: { S: address.pk }, sk: { S: address.sk }, st: { S: "S" }, rv: { N: String(ROW_SCHEMA) } };
  for (const [field, name] of fieldsOf(TEXTS)) item[name] = { S: row[field] };
  for (const [field, name] of fieldsOf(NUMBERS)) item[name] = { N: countText(field, row[field]) };
  return item;
}

/** The store refuses a whole batch for one number that is none, so other requests' rows must be kept from it. */
function countText(field: string, value: number): string {
  if (Number.isSafeInteger(value) && value >= 0) return String(value);
  throw new Error(`a usage row's ${field} is ${value}, not a count`);
}

/** A void marker: whoever adds up rows drops the row that it names. */
export function voidMarker(address: { pk: string; sk: string }, atMs: number): WireItem {
  return {
    pk: { S: address.pk },
    sk: { S: `${address.sk}${VOID_SUFFIX}` },
    st: { S: "X" },
    rv: { N: String(ROW_SCHEMA) },
    a: { N: String(atMs) },
  };
}

export const VOID_SUFFIX = "#V";

/** Reads back what reports need; undefined for rows that are not settled. */
export function storedUsageOf(item: WireItem): StoredUsage | undefined {
  if (textOf(item, "st") !== "S") return undefined;
  const { servedVersion, inputs, inputTokens, outputTokens, computeMs, acceptedAtMs } = NUMBERS;
  return {
    model: textOf(item, TEXTS.model),
    arm: textOf(item, TEXTS.arm),
    servedVersion: numberOf(item, servedVersion),
    inputs: numberOf(item, inputs),
    inputTokens: numberOf(item, inputTokens),
    outputTokens: numberOf(item, outputTokens),
    computeMs: numberOf(item, computeMs),
    acceptedAtMs: numberOf(item, acceptedAtMs),
  };
}

export function textOf(item: WireItem, name: string): string {
  const value = item[name];
  if (value === undefined || !("S" in value)) throw new Error(`a ledger row has no text ${name}`);
  return value.S;
}

function numberOf(item: WireItem, name: string): number {
  const value = item[name];
  if (value === undefined || !("N" in value)) throw new Error(`a ledger row has no number ${name}`);
  return Number(value.N);
}

function fieldsOf<T extends Record<string, string>>(names: T): [keyof T, string][] {
  return Object.entries(names);
}
