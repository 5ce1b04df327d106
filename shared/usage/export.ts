import * as z from "zod";
import { acceptedAtMsOf } from "../base/id.ts";
import { Outcome, Tier, type UsageRow } from "./row.ts";

const count = z.int().min(0);

/** A billed row as exports give it. The fields and their order are stable; new ones come at the end. */
export const ExportedRow = z
  .object({
    requestId: z.string().meta({ description: "UUIDv7: its first 48 bits are when the request was accepted" }),
    acceptedAt: z.iso.datetime(),
    tenant: z.string(),
    keyId: z.string(),
    model: z.string(),
    version: z.int().meta({ description: "The version that the split assigned" }),
    servedVersion: z.int().meta({ description: "The version that answered, and is billed" }),
    arm: z.string(),
    tier: Tier,
    dialect: z.enum(["openai", "hf", "oip"]),
    task: z.string(),
    outcome: Outcome,
    inputs: count,
    inputTokens: count,
    outputTokens: count,
    computeMs: count,
    priceVersion: count,
    fingerprint: z.string(),
    lease: z.string().nullable().meta({ description: "The lease on a prepaid balance that it drew from" }),
  })
  .meta({ id: "ExportedRow" });
export type ExportedRow = z.infer<typeof ExportedRow>;

const FIELDS = Object.keys(ExportedRow.shape) as (keyof ExportedRow)[]; // a shape's keys are its type's
export const EXPORT_FORMATS = ["ndjson", "csv"] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

export function exportedRow({ requestId, lease, ...row }: UsageRow): ExportedRow {
  const acceptedAt = new Date(acceptedAtMsOf(requestId)).toISOString();
  const { tenant, keyId, model, version, servedVersion, arm, tier, dialect, task, outcome } = row;
  const { inputs, inputTokens, outputTokens, computeMs, priceVersion, fingerprint } = row;
  const named = { requestId, acceptedAt, tenant, keyId, model, version, servedVersion, arm, tier, dialect, task, outcome };
  return { ...named, inputs, inputTokens, outputTokens, computeMs, priceVersion, fingerprint, lease: lease ?? null };
}

/** The row that an exported one is of. */
export function rowOf({ acceptedAt: _, lease, ...row }: ExportedRow): UsageRow {
  return lease === null ? row : { ...row, lease };
}

/** Rows as text, line by line; a CSV has a head. */
export async function* exportText(rows: AsyncIterable<UsageRow>, format: ExportFormat): AsyncGenerator<string> {
  if (format === "csv") yield `${FIELDS.map(snakeCase).join(",")}\r\n`;
  for await (const row of rows) {
    const record = exportedRow(row);
    yield format === "ndjson" ? `${JSON.stringify(record)}\n` : `${FIELDS.map((field) => cell(record[field])).join(",")}\r\n`;
  }
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Names are checked where they are made and begin with a letter or a digit; should one not, a spreadsheet must not run it. */
function cell(value: string | number | null): string {
  if (value === null || typeof value === "number") return String(value ?? "");
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

const Sums = z.array(
  z.object({
    model: z.string(),
    version: z.int(),
    arm: z.string(),
    tier: Tier,
    priceVersion: count,
    requests: count,
    inputs: count,
    inputTokens: count,
    outputTokens: count,
    computeMs: count,
  }),
);

/** A tenant's part of a seal as exports give it. */
export const ExportedSeal = z
  .object({
    minute: z.string(),
    shard: count,
    revision: z.int().positive(),
    tenant: z.object({
      tenant: z.string(),
      rowCount: count,
      digest: z.string().meta({ description: "SHA-256 over the tenant's rows of this minute and shard, in order of their ids" }),
      sums: Sums,
      leases: z.array(z.object({ lease: z.string(), sums: Sums })),
      perSecond: z.array(z.object({ model: z.string(), counts: z.array(count) })),
    }),
  })
  .meta({ id: "ExportedSeal" });
