import { createReadStream, createWriteStream, existsSync } from "node:fs";
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream as NodeStream } from "node:stream/web";
import type { z } from "zod";
import { Failure } from "../../shared/base/failure.ts";
import { sha256Hex } from "../../shared/base/hash.ts";
import type { Check } from "../../shared/billing/invoices/check.ts";
import { CreditDocument } from "../../shared/billing/invoices/credit-document.ts";
import type { CreditNoteRevision } from "../../shared/billing/invoices/credit-note.ts";
import { DOCUMENT_BYTES_MAX } from "../../shared/billing/invoices/document-store.ts";
import { FORMATS, InvoiceRevision, isIssued } from "../../shared/billing/invoices/invoice.ts";
import { InvoiceDocument } from "../../shared/billing/invoices/invoice-document.ts";
import { CORRECTIONS_SCHEMA, Corrections } from "../../shared/billing/invoices/verify-corrections.ts";
import { InvoicePrices } from "../../shared/billing/prices/price-book.ts";
import type { invoicesOf } from "../../shared/clients/invoices.ts";
import type { TenantClient } from "../../shared/clients/tenant.ts";
import { ExportedRow, ExportedSeal, rowOf } from "../../shared/usage/export.ts";
import type { UsageRow } from "../../shared/usage/row.ts";
import type { TenantBucket } from "../../shared/usage/seals/seal.ts";

/** What an export's folder holds; whoever gets it needs nothing else to compute the invoice anew. */
const FILES = {
  head: "invoice-state.json",
  corrections: "corrections.json",
  prices: "prices.json",
  seals: "seals.ndjson",
  rows: "rows.ndjson",
} as const;
/** An invoice's state and a book with all its revisions are smaller; what is larger is something else. */
const JSON_BYTES_MAX = 64 * 1024 * 1024;
/** A seal of a minute has a few lines for each model and version. */
const LINE_CHARACTERS_MAX = 8 * 1024 * 1024;
const documentFile = (format: string) => `invoice.${format}`;
/** A credit note's number, such as `CN-000017`; what else a file may say would be a path. */
const NOTE_NAME = /^[A-Z0-9][A-Z0-9-]{0,11}-[0-9]{6,15}$/;

type Invoices = ReturnType<typeof invoicesOf>;

/** Writes an invoice, and what it follows from, into a folder. Rows and seals go to the disk as they come. */
export async function exportInvoice(
  { invoices, tenant }: { invoices: Invoices; tenant: Pick<TenantClient, "usageExport"> },
  id: string,
  folder: string,
): Promise<{ readonly folder: string; readonly files: readonly string[] }> {
  const head = await invoices.show(id);
  await mkdir(folder, { recursive: true });
  const put = (name: string, content: string | Uint8Array) => writeFile(join(folder, name), content);
  await put(FILES.head, `${JSON.stringify(head, null, 2)}\n`);
  const formats = FORMATS.filter((format) => isIssued(head) || format === "json");
  for (const format of formats) await put(documentFile(format), await invoices.document(id, format));
  const corrections = await correctionsOf(invoices, head);
  await put(FILES.corrections, `${JSON.stringify(corrections, null, 2)}\n`);
  const noteFiles = issuedOf(corrections).flatMap((note) => FORMATS.map((format) => ({ note, format, file: noteFile(note.name, format) })));
  for (const { note, format, file } of noteFiles) await put(file, await invoices.creditDocument(id, note.ask.id, format));
  await put(FILES.prices, `${JSON.stringify(await invoices.prices(id), null, 2)}\n`);
  const query = { month: head.month, tenant: head.tenant };
  await save(await tenant.usageExport("seals", query), join(folder, FILES.seals));
  await save(await tenant.usageExport("export", query), join(folder, FILES.rows));
  return { folder, files: [...Object.values(FILES), ...formats.map(documentFile), ...noteFiles.map(({ file }) => file)] };
}

async function correctionsOf(invoices: Invoices, head: InvoiceRevision): Promise<Corrections> {
  const { credits, replacedBy } = isIssued(head) ? head : { credits: [], replacedBy: undefined };
  const notes: CreditNoteRevision[] = [];
  for (const credit of credits) notes.push(await invoices.creditNote(head.id, credit.id));
  const read = async (other: { id: string } | undefined) => (other === undefined ? null : invoices.show(other.id));
  return { schema: CORRECTIONS_SCHEMA, credits: notes, replaces: await read(head.replaces), replacedBy: await read(replacedBy) };
}

/** An exported invoice, read again; rows and seals one by one. Fails with `invalid_request` for what is none. */
export async function openExport(folder: string) {
  const head = parsed(InvoiceRevision, join(folder, FILES.head), await readJson(join(folder, FILES.head)));
  return {
    head,
    document: parsed(InvoiceDocument, join(folder, documentFile("json")), await readJson(join(folder, documentFile("json")))),
    prices: parsed(InvoicePrices, join(folder, FILES.prices), await readJson(join(folder, FILES.prices))),
    seals: (): AsyncIterable<TenantBucket> => lines(join(folder, FILES.seals), ExportedSeal),
    rows: (): AsyncIterable<UsageRow> => rows(join(folder, FILES.rows)),
  };
}

/** What has become of an exported invoice, and its credit notes' documents; undefined of an export from before there was such a file. */
export async function openCorrections(folder: string) {
  const path = join(folder, FILES.corrections);
  if (!existsSync(path)) return undefined;
  const corrections = parsed(Corrections, path, await readJson(path));
  const notes = new Map<string, CreditDocument>();
  for (const { name } of issuedOf(corrections)) {
    const file = join(folder, noteFile(name, "json"));
    notes.set(name, parsed(CreditDocument, file, await readJson(file)));
  }
  return { corrections, notes };
}

/** Whether credit notes' documents are those that their logs name, by their digests. */
export async function checkNoteFiles(folder: string, corrections: Corrections): Promise<Check> {
  const differences: string[] = [];
  const stored = issuedOf(corrections).flatMap(({ name, documents }) =>
    FORMATS.map((format) => ({ file: noteFile(name, format), sha256: documents[format].sha256 })),
  );
  for (const { file, sha256 } of stored) differences.push(...(await digestDifference(folder, file, sha256)));
  return { name: "credit notes' documents are those that were issued", count: stored.length, differences };
}

function issuedOf({ credits }: Corrections) {
  return credits.filter((note) => note.state === "issued");
}

function noteFile(name: string, format: string): string {
  if (NOTE_NAME.test(name)) return `${name}.${format}`;
  throw new Failure("invalid_request", `'${name.slice(0, 100)}' is no credit note's number.`);
}

async function digestDifference(folder: string, file: string, sha256: string): Promise<string[]> {
  const found = sha256Hex(await readBytes(join(folder, file), DOCUMENT_BYTES_MAX));
  return found === sha256 ? [] : [`${file}: its digest is ${found}, not ${sha256}`];
}

/** Whether the documents are those that the invoice's state names, by their digests, and of the same invoice. */
export async function checkDocuments(folder: string, head: InvoiceRevision, document: InvoiceDocument): Promise<Check> {
  const stored = "issue" in head ? head.issue.documents : { json: head.document };
  const differences: string[] = [];
  for (const [format, { sha256 }] of Object.entries(stored))
    differences.push(...(await digestDifference(folder, documentFile(format), sha256)));
  const said = { id: document.id, tenant: document.buyer.tenant, month: document.month, currency: document.currency, name: document.name };
  const known = {
    id: head.id,
    tenant: head.tenant,
    month: head.month,
    currency: head.currency,
    name: "issue" in head ? head.issue.name : null,
  };
  for (const field of ["id", "tenant", "month", "currency", "name"] as const) {
    if (said[field] !== known[field]) differences.push(`${documentFile("json")}: its ${field} is ${said[field]}, not ${known[field]}`);
  }
  const [total, totalKnown] = [document.totals.totalMinor, head.totals.totalMinor];
  if (total !== totalKnown) differences.push(`${documentFile("json")}: its total is ${total}, not ${totalKnown}`);
  return { name: "the document is the one that was issued", count: Object.keys(stored).length, differences };
}

export async function readJson(path: string): Promise<unknown> {
  const text = (await readBytes(path, JSON_BYTES_MAX)).toString();
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw unreadable(path, "cannot be read as JSON", cause);
  }
}

async function readBytes(path: string, bytesMax: number): Promise<Buffer> {
  try {
    const { size } = await stat(path);
    if (size <= bytesMax) return await readFile(path);
  } catch (cause) {
    throw unreadable(path, "cannot be read", cause);
  }
  throw new Failure("invalid_request", `${path} has more than ${bytesMax} bytes, so it is not of an export.`);
}

function unreadable(path: string, how: string, cause: unknown): Failure {
  return new Failure("invalid_request", `${path} ${how}: ${cause instanceof Error ? cause.message : cause}`, { cause });
}

function parsed<T>(schema: z.ZodType<T>, path: string, json: unknown): T {
  const read = schema.safeParse(json);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw new Failure("invalid_request", `${path} is not of an export: ${issue?.path.join(".")} ${issue?.message}`);
}

async function save(stream: ReadableStream<Uint8Array>, path: string): Promise<void> {
  await pipeline(Readable.fromWeb(stream as NodeStream<Uint8Array>), createWriteStream(path)); // Node's own stream under the web's type
}

async function* rows(path: string): AsyncGenerator<UsageRow> {
  for await (const row of lines(path, ExportedRow)) yield rowOf(row);
}

async function* lines<T>(path: string, schema: z.ZodType<T>): AsyncGenerator<T> {
  let number = 0;
  for await (const line of textLines(path)) {
    number += 1;
    const read = schema.safeParse(jsonOf(line));
    if (!read.success) {
      const [issue] = read.error.issues;
      throw new Failure("invalid_request", `${path} line ${number} is not of an export: ${issue?.path.join(".")} ${issue?.message}`);
    }
    yield read.data;
  }
}

/** A file's lines, of which one is in memory: a file that is one endless line is refused before it fills it. */
async function* textLines(path: string): AsyncGenerator<string> {
  let rest = "";
  try {
    for await (const chunk of createReadStream(path, "utf8")) {
      const pieces = `${rest}${chunk}`.split("\n");
      rest = pieces.pop() ?? "";
      if (rest.length > LINE_CHARACTERS_MAX)
        throw new Failure("invalid_request", `${path} has a line of more than ${LINE_CHARACTERS_MAX} characters.`);
      yield* pieces;
    }
  } catch (cause) {
    throw cause instanceof Failure ? cause : unreadable(path, "cannot be read", cause);
  }
  if (rest !== "") yield rest;
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined; // no schema accepts it
  }
}
