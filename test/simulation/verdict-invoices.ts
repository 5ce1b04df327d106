import { createHash } from "node:crypto";
import type { FakeDynamo } from "../harness/fake-dynamo/fake-dynamo.ts";
import type { Item } from "../harness/fake-dynamo/values.ts";
import type { Bucket } from "./billing.ts";
import { monthOf, number, tenantOf, text } from "./ledger-items.ts";
import { plainBill } from "./plain-bill.ts";
import { TENANTS } from "./seed-store.ts";

type Stored = { readonly key: string; readonly sha256: string };
type Totals = { readonly netMinor: string; readonly taxMinor: string; readonly totalMinor: string };
type Invoice = {
  readonly state: string;
  readonly totals: Totals;
  readonly issue?: { readonly number: number; readonly name: string; readonly documents: Readonly<Record<string, Stored>> };
};
type Document = {
  readonly name: string;
  readonly totals: Totals;
  readonly lines: readonly { readonly amountMinor: string }[];
  readonly taxes: readonly { readonly taxMinor: string }[];
  readonly evidence: { readonly rows: number } | null;
};

export type InvoiceEvidence = {
  readonly rows: readonly Item[];
  readonly store: FakeDynamo;
  readonly bucket: Bucket;
  readonly month: string;
};

/** What the invoices of a month have promised, once it is closed. */
export function wrongInvoices({ rows, store, bucket, month }: InvoiceEvidence): string[] {
  const logs = TENANTS.map((tenant) => ({
    tenant,
    revisions: revisionsOf(store, `invoice#${tenant}-${month}`),
    rows: rows.filter((row) => tenantOf(row) === tenant && monthOf(row) === month),
  }));
  return [
    ...overwritten(store),
    ...logs.flatMap((log) => wrongLog(log)),
    ...logs.flatMap(({ tenant, revisions, rows: own }) => wrongDocuments({ tenant, last: revisions.at(-1), rows: own, bucket })),
    ...wrongNumbers(
      store,
      logs.flatMap(({ revisions }) => revisions.at(-1)?.issue?.number ?? []),
    ),
  ];
}

/** Revisions are put once. */
function overwritten({ journal }: FakeDynamo): string[] {
  const isEdit = ({ table, before }: FakeDynamo["journal"][number]) =>
    table === "control" && before !== undefined && text(before, "sk").startsWith("r#");
  return journal.filter(isEdit).map(({ step, before }) => `a revision of ${text(before ?? {}, "pk")} was changed by ${step}`);
}

type Log = { readonly tenant: string; readonly revisions: readonly Invoice[]; readonly rows: readonly Item[] };

/** A month with rows is issued, once, as they come to; one without has nothing to issue. */
function wrongLog({ tenant, revisions, rows }: Log): string[] {
  const last = revisions.at(-1);
  if (rows.length === 0) return last?.issue === undefined ? [] : [`${tenant} has an invoice and no rows`];
  if (last?.issue === undefined) return [`the month of ${tenant} has ${rows.length} rows, and its invoice is ${last?.state ?? "absent"}`];
  const issues = new Set(revisions.flatMap(({ issue }) => (issue === undefined ? [] : [JSON.stringify(issue)])));
  const { netMinor, taxMinor, totalMinor } = plainBill(tenant, rows);
  const wanted = { netMinor: `${netMinor}`, taxMinor: `${taxMinor}`, totalMinor: `${totalMinor}` };
  return [
    ...(issues.size === 1 ? [] : [`the invoice of ${tenant} was issued ${issues.size} times`]),
    ...(isSame(last.totals, wanted) ? [] : [`the invoice of ${tenant} says ${textOf(last.totals)}, its rows come to ${textOf(wanted)}`]),
  ];
}

type Kept = { readonly tenant: string; readonly last: Invoice | undefined; readonly rows: readonly Item[]; readonly bucket: Bucket };

/** What is kept is what was signed for, and says what the log says: the lines are the total, and the evidence is the rows. */
function wrongDocuments({ tenant, last, rows, bucket }: Kept): string[] {
  if (last?.issue === undefined) return [];
  const { name, documents } = last.issue;
  const damaged = Object.values(documents).filter(({ key, sha256 }) => sha256Of(bucket.get(key)) !== sha256);
  if (damaged.length > 0) return damaged.map(({ key }) => `the document ${key} is missing or another`);
  const { totals, lines, taxes, ...document } = JSON.parse(
    Buffer.from(bucket.get(documents["json"]?.key ?? "") ?? []).toString(),
  ) as Document;
  const net = lines.reduce((sum, { amountMinor }) => sum + BigInt(amountMinor), 0n);
  const tax = taxes.reduce((sum, { taxMinor }) => sum + BigInt(taxMinor), 0n);
  return [
    ...(document.name === name ? [] : [`the document of ${tenant} is called ${document.name}, and not ${name}`]),
    ...(isSame(totals, last.totals) ? [] : [`the document of ${tenant} says ${textOf(totals)}, its log ${textOf(last.totals)}`]),
    ...(`${net} ${tax}` === `${totals.netMinor} ${totals.taxMinor}`
      ? []
      : [`the lines of ${tenant} are ${net} and ${tax}, not ${textOf(totals)}`]),
    ...(document.evidence?.rows === rows.length
      ? []
      : [`the invoice of ${tenant} is of ${document.evidence?.rows} rows, not ${rows.length}`]),
  ];
}

/** From one on, each once, and the book knows it. */
function wrongNumbers(store: FakeDynamo, numbers: readonly number[]): string[] {
  const sorted = [...numbers].sort((a, b) => a - b);
  const book = store.items("balances").find((item) => text(item, "pk") === "book#invoices");
  const next = book === undefined ? 1 : number(book, "nx");
  return [
    ...(sorted.every((each, place) => each === place + 1) ? [] : [`the numbers of invoices are ${sorted.join(", ")}`]),
    ...(next === sorted.length + 1 ? [] : [`the next number is ${next}, after ${sorted.length} invoices`]),
    ...(book?.["pn"] === undefined ? [] : [`the number ${number(book, "pn")} was never given`]),
  ];
}

function revisionsOf(store: FakeDynamo, pk: string): Invoice[] {
  const items = store.items("control").filter((item) => text(item, "pk") === pk);
  return items.sort((a, b) => number(a, "n") - number(b, "n")).map((item) => JSON.parse(text(item, "body")) as Invoice); // as far as this needs it
}

function sha256Of(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? "" : createHash("sha256").update(bytes).digest("hex");
}

function isSame(a: Totals, b: Totals): boolean {
  return textOf(a) === textOf(b);
}

function textOf({ netMinor, taxMinor, totalMinor }: Totals): string {
  return `${netMinor} + ${taxMinor} = ${totalMinor}`;
}
