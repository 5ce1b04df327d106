import { createHash } from "node:crypto";
import type { FakeDynamo } from "../harness/fake-dynamo/fake-dynamo.ts";
import type { Item } from "../harness/fake-dynamo/values.ts";
import type { Bucket } from "./billing.ts";
import { type Invoice, invoicesIn, type Totals } from "./invoice-logs.ts";
import { monthOf, number, tenantOf, text } from "./ledger-items.ts";
import { plainBill } from "./plain-bill.ts";
import { TENANTS } from "./seed-store.ts";

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

/** What the invoices of a month have promised, once it is closed: the first of each tenant, and those that took its place. */
export function wrongInvoices({ rows, store, bucket, month }: InvoiceEvidence): string[] {
  const known = invoicesIn(store);
  const logs = TENANTS.flatMap((tenant) => {
    const own = rows.filter((row) => tenantOf(row) === tenant && monthOf(row) === month);
    const first = `${tenant}-${month}`;
    const others = [...known.keys()].filter((id) => id.startsWith(`${first}-r`));
    return [first, ...others].map((id) => ({ tenant, id, revisions: known.get(id) ?? [], rows: own }));
  });
  const issued = [...known.values()].flatMap((revisions) => revisions.at(-1)?.issue?.number ?? []);
  return [
    ...overwritten(store),
    ...logs.flatMap((log) => wrongLog(log)),
    ...logs.flatMap(({ id, revisions, rows: own }) => wrongDocuments({ id, last: revisions.at(-1), rows: own, bucket })),
    ...wrongNumbers(store, "invoices", issued),
  ];
}

/** Revisions are put once. */
function overwritten({ journal }: FakeDynamo): string[] {
  const isEdit = ({ table, before }: FakeDynamo["journal"][number]) =>
    table === "control" && before !== undefined && text(before, "sk").startsWith("r#");
  return journal.filter(isEdit).map(({ step, before }) => `a revision of ${text(before ?? {}, "pk")} was changed by ${step}`);
}

type Log = { readonly tenant: string; readonly id: string; readonly revisions: readonly Invoice[]; readonly rows: readonly Item[] };

/** A month with rows is issued, once, as they come to; one without has nothing to issue. */
function wrongLog({ tenant, id, revisions, rows }: Log): string[] {
  const last = revisions.at(-1);
  if (rows.length === 0) return last?.issue === undefined ? [] : [`${id} is an invoice without rows`];
  if (last?.issue === undefined) return [`the month of ${id} has ${rows.length} rows, and its invoice is ${last?.state ?? "absent"}`];
  const issues = new Set(revisions.flatMap(({ issue }) => (issue === undefined ? [] : [JSON.stringify(issue)])));
  const { netMinor, taxMinor, totalMinor } = plainBill(
    tenant,
    rows,
    last.adjustments.map(({ amountMinor }) => BigInt(amountMinor)),
  );
  const wanted = { netMinor: `${netMinor}`, taxMinor: `${taxMinor}`, totalMinor: `${totalMinor}` };
  return [
    ...(issues.size === 1 ? [] : [`the invoice ${id} was issued ${issues.size} times`]),
    ...(isSame(last.totals, wanted) ? [] : [`the invoice ${id} says ${textOf(last.totals)}, its rows come to ${textOf(wanted)}`]),
  ];
}

type Kept = { readonly id: string; readonly last: Invoice | undefined; readonly rows: readonly Item[]; readonly bucket: Bucket };

/** What is kept is what was signed for, and says what the log says: the lines are the total, and the evidence is the rows. */
function wrongDocuments({ id, last, rows, bucket }: Kept): string[] {
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
    ...(document.name === name ? [] : [`the document of ${id} is called ${document.name}, and not ${name}`]),
    ...(isSame(totals, last.totals) ? [] : [`the document of ${id} says ${textOf(totals)}, its log ${textOf(last.totals)}`]),
    ...(`${net} ${tax}` === `${totals.netMinor} ${totals.taxMinor}`
      ? []
      : [`the lines of ${id} are ${net} and ${tax}, not ${textOf(totals)}`]),
    ...(document.evidence?.rows === rows.length ? [] : [`the invoice ${id} is of ${document.evidence?.rows} rows, not ${rows.length}`]),
  ];
}

/** From one on, each once, and the book knows it. */
export function wrongNumbers(store: FakeDynamo, name: string, numbers: readonly number[]): string[] {
  const sorted = [...numbers].sort((a, b) => a - b);
  const book = store.items("balances").find((item) => text(item, "pk") === `book#${name}`);
  const next = book === undefined ? 1 : number(book, "nx");
  return [
    ...(sorted.every((each, place) => each === place + 1) ? [] : [`the numbers of ${name} are ${sorted.join(", ")}`]),
    ...(next === sorted.length + 1 ? [] : [`the next number is ${next}, after ${sorted.length} ${name}`]),
    ...(book?.["pn"] === undefined ? [] : [`the number ${number(book, "pn")} was never given`]),
  ];
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
