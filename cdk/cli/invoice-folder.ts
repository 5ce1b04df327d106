import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream as NodeStream } from "node:stream/web";
import type { z } from "zod";
import { Failure } from "../../shared/base/failure.ts";
import { sha256Hex } from "../../shared/base/hash.ts";
import { FORMATS, InvoiceRevision } from "../../shared/billing/invoices/invoice.ts";
import { InvoiceDocument } from "../../shared/billing/invoices/invoice-document.ts";
import { InvoicePrices } from "../../shared/billing/prices/price-book.ts";
import type { invoicesOf } from "../../shared/clients/invoices.ts";
import type { TenantClient } from "../../shared/clients/tenant.ts";
import { ExportedRow, ExportedSeal, rowOf } from "../../shared/usage/export.ts";
import type { UsageRow } from "../../shared/usage/row.ts";
import type { TenantBucket } from "../../shared/usage/seal.ts";

/** What an export's folder holds; whoever gets it needs nothing else to compute the invoice anew. */
const FILES = { head: "invoice-state.json", prices: "prices.json", seals: "seals.ndjson", rows: "rows.ndjson" } as const;
const documentFile = (format: string) => `invoice.${format}`;

type Invoices = ReturnType<typeof invoicesOf>;

/** Writes an invoice, and what it follows from, into a folder. Rows and seals go to the disk as they come. */
export async function exportInvoice(
  { invoices, tenant }: { invoices: Invoices; tenant: Pick<TenantClient, "usageExport"> },
  id: string,
  folder: string,
): Promise<{ readonly folder: string; readonly files: readonly string[] }> {
  const head = await invoices.show(id);
  const isIssued = head.state !== "draft" && head.state !== "frozen";
  await mkdir(folder, { recursive: true });
  const put = (name: string, content: string | Uint8Array) => writeFile(join(folder, name), content);
  await put(FILES.head, `${JSON.stringify(head, null, 2)}\n`);
  const formats = FORMATS.filter((format) => isIssued || format === "json");
  for (const format of formats) await put(documentFile(format), await invoices.document(id, format));
  await put(FILES.prices, `${JSON.stringify(await invoices.prices(id), null, 2)}\n`);
  const query = { month: head.month, tenant: head.tenant };
  await save(await tenant.usageExport("seals", query), join(folder, FILES.seals));
  await save(await tenant.usageExport("export", query), join(folder, FILES.rows));
  return { folder, files: [...Object.values(FILES), ...formats.map(documentFile)] };
}

/** An exported invoice, read again; rows and seals one by one. */
export async function openExport(folder: string) {
  const head = InvoiceRevision.parse(await readJson(join(folder, FILES.head)));
  const bytes = await readFile(join(folder, documentFile("json")));
  return {
    head,
    document: InvoiceDocument.parse(JSON.parse(bytes.toString())),
    isDocumentIntact: "issue" in head ? head.issue.documents.json.sha256 === sha256Hex(bytes) : head.document.sha256 === sha256Hex(bytes),
    prices: InvoicePrices.parse(await readJson(join(folder, FILES.prices))),
    seals: (): AsyncIterable<TenantBucket> => lines(join(folder, FILES.seals), ExportedSeal),
    rows: (): AsyncIterable<UsageRow> => rows(join(folder, FILES.rows)),
  };
}

export async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw new Failure("invalid_request", `${path} cannot be read as JSON: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

async function save(stream: ReadableStream<Uint8Array>, path: string): Promise<void> {
  await pipeline(Readable.fromWeb(stream as NodeStream<Uint8Array>), createWriteStream(path)); // Node's own stream under the web's type
}

async function* rows(path: string): AsyncGenerator<UsageRow> {
  for await (const row of lines(path, ExportedRow)) yield rowOf(row);
}

async function* lines<T>(path: string, schema: z.ZodType<T>): AsyncGenerator<T> {
  let number = 0;
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
    number += 1;
    const parsed = schema.safeParse(jsonOf(line));
    if (!parsed.success)
      throw new Failure("invalid_request", `${path} line ${number} is not of an export: ${parsed.error.issues[0]?.message}`);
    yield parsed.data;
  }
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined; // no schema accepts it
  }
}
