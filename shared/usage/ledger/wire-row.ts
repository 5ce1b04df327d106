import type { WireItem, WireValue } from "../../dynamo/lean-client.ts";
import { Dialect, Outcome, ROW_SCHEMA, Tier, type UsageRow } from "../row.ts";
import type { Checkpoint, EarlierRow, Reservation } from "./ledger.ts";

/** Attribute names are short because each row is one write unit only below 1 KB, and rows are kept for years. */
const TEXTS = {
  keyId: "k",
  model: "mo",
  arm: "ab",
  tier: "tr",
  dialect: "di",
  task: "ta",
  outcome: "oc",
  fingerprint: "h",
  lease: "ls",
  idempotency: "ik",
} as const;
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

export type Address = { readonly pk: string; readonly sk: string };

/** A settled row (`st` S) as it is stored; `rv` is the schema of its attributes. */
export function settledItem(address: Address, row: UsageRow & { acceptedAtMs: number }): WireItem {
  return { ...headOf(address, "S"), ...valuesOf(row) };
}

/** A pending row (`st` P): `e` is its epoch, `x` when it expires, `pg` the output tokens that its stream may have delivered. */
export function pendingItem(address: Address, reservation: Reservation & { acceptedAtMs: number; expiresAtMs: number }): WireItem {
  const { epoch, expiresAtMs, expiresInMs: _, ...known } = reservation;
  return { ...headOf(address, "P"), ...valuesOf(known), e: { N: `${epoch}` }, x: { N: `${expiresAtMs}` }, pg: { N: "0" } };
}

/** What a checkpoint writes over a pending row: enough to bill by, should nobody come back to it. */
export function checkpointValues({ expiresInMs: _, outputTokens, ...known }: Checkpoint, expiresAtMs: number): WireItem {
  return { ...valuesOf(known), pg: { N: countText("outputTokens", outputTokens) }, x: { N: `${expiresAtMs}` } };
}

/** What settling writes over a pending row. */
export function settledValues(row: UsageRow): WireItem {
  return { ...valuesOf(row), st: { S: "S" } };
}

function headOf({ pk, sk }: Address, state: "P" | "S" | "X"): Record<string, WireValue> {
  return { pk: { S: pk }, sk: { S: sk }, st: { S: state }, rv: { N: String(ROW_SCHEMA) } };
}

/** The attributes of the fields that are known. */
function valuesOf(known: Partial<UsageRow & { acceptedAtMs: number }>): WireItem {
  const item: Record<string, WireValue> = {};
  for (const [field, name] of fieldsOf(TEXTS)) {
    const text = known[field];
    if (text !== undefined) item[name] = { S: text };
  }
  for (const [field, name] of fieldsOf(NUMBERS)) {
    const value = known[field];
    if (value !== undefined) item[name] = { N: countText(field, value) };
  }
  return item;
}

/** The store refuses a whole batch for one number that is none, so other requests' rows must be kept from it. */
function countText(field: string, value: number): string {
  if (Number.isSafeInteger(value) && value >= 0) return String(value);
  throw new Error(`a usage row's ${field} is ${value}, not a count`);
}

/** A row that takes the place of one that shall never come. */
export function voidRow(address: Address, atMs: number): WireItem {
  return { ...headOf(address, "X"), a: { N: String(atMs) } };
}

/** A void marker: whoever adds up rows drops the row that it names. */
export function voidMarker({ pk, sk }: Address, atMs: number): WireItem {
  return { ...headOf({ pk, sk: `${sk}${VOID_SUFFIX}` }, "X"), a: { N: String(atMs) } };
}

export const VOID_SUFFIX = "#V";

/** Reads back a row that a retry asks for, among the items of its address and its marker's. */
export function earlierRowOf(items: readonly WireItem[], sk: string): EarlierRow {
  const isVoided = items.some((item) => textOf(item, "sk") === sk + VOID_SUFFIX);
  const item = items.find((each) => textOf(each, "sk") === sk);
  if (item === undefined) return { state: "absent", isVoided };
  switch (textOf(item, "st")) {
    case "P":
      return { state: "pending", isVoided, epoch: numberOf(item, "e"), expiresAtMs: numberOf(item, "x") };
    case "S":
      return { state: "settled", isVoided, outcome: Outcome.parse(textOf(item, TEXTS.outcome)) };
    default:
      return { state: "void", isVoided };
  }
}

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

/** Reads back a settled row whole; throws if any of it is missing or of a schema that this code does not know. */
export function usageRowOf(item: WireItem): UsageRow {
  if (numberOf(item, "rv") !== ROW_SCHEMA) throw new Error(`a ledger row has the schema ${numberOf(item, "rv")}, not ${ROW_SCHEMA}`);
  const { tenant, requestId } = ownerOf(item);
  const lease = item[TEXTS.lease];
  return {
    requestId,
    tenant,
    keyId: textOf(item, TEXTS.keyId),
    model: textOf(item, TEXTS.model),
    version: numberOf(item, NUMBERS.version),
    servedVersion: numberOf(item, NUMBERS.servedVersion),
    arm: textOf(item, TEXTS.arm),
    tier: Tier.parse(textOf(item, TEXTS.tier)),
    dialect: Dialect.parse(textOf(item, TEXTS.dialect)),
    task: textOf(item, TEXTS.task),
    outcome: Outcome.parse(textOf(item, TEXTS.outcome)),
    inputs: numberOf(item, NUMBERS.inputs),
    inputTokens: numberOf(item, NUMBERS.inputTokens),
    outputTokens: numberOf(item, NUMBERS.outputTokens),
    computeMs: numberOf(item, NUMBERS.computeMs),
    priceVersion: numberOf(item, NUMBERS.priceVersion),
    fingerprint: textOf(item, TEXTS.fingerprint),
    ...(lease === undefined ? {} : { lease: textOf(item, TEXTS.lease) }),
  };
}

/** Whose row it is, from its address. */
export function ownerOf(item: WireItem): { tenant: string; requestId: string } {
  const [tenant, requestId] = textOf(item, "sk").split("#");
  if (tenant === undefined || requestId === undefined) throw new Error(`a ledger row has the key ${textOf(item, "sk")}`);
  return { tenant, requestId };
}

/** The item of a row's Idempotency-Key and the request that it answers for, if the row has one. */
export function identityOf(item: WireItem): { id: string; requestId: string } | undefined {
  return item[TEXTS.idempotency] === undefined ? undefined : { id: textOf(item, TEXTS.idempotency), requestId: ownerOf(item).requestId };
}

/** A row that nobody has settled or voided yet. */
export type PendingRow = { readonly address: Address; readonly epoch: number; readonly expiresAtMs: number; readonly checkpointed: number };

export function pendingRowOf(item: WireItem): PendingRow {
  const address = { pk: textOf(item, "pk"), sk: textOf(item, "sk") };
  return { address, epoch: numberOf(item, "e"), expiresAtMs: numberOf(item, "x"), checkpointed: numberOf(item, "pg") };
}

/** What expiring writes over a pending row: billed as far as it was checkpointed, or not at all. The next epoch shuts out whoever had it. */
export function expiredValues({ epoch, checkpointed }: PendingRow): WireItem {
  const next = { e: { N: `${epoch + 1}` } };
  if (checkpointed === 0) return { ...next, st: { S: "X" } };
  return { ...next, st: { S: "S" }, [TEXTS.outcome]: { S: "cut" satisfies Outcome }, [NUMBERS.outputTokens]: { N: `${checkpointed}` } };
}

export function textOf(item: WireItem, name: string): string {
  const value = item[name];
  if (value === undefined || !("S" in value)) throw new Error(`a ledger row has no text ${name}`);
  return value.S;
}

export function numberOf(item: WireItem, name: string): number {
  const value = item[name];
  if (value === undefined || !("N" in value)) throw new Error(`a ledger row has no number ${name}`);
  return Number(value.N);
}

function fieldsOf<T extends Record<string, string>>(names: T): [keyof T, string][] {
  return Object.entries(names);
}
