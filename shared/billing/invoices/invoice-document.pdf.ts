import type { Component } from "../line.ts";
import { printMinor } from "../money.ts";
import type { CreditDocument } from "./credit-document.ts";
import type { DocumentLine, Evidence, InvoiceDocument } from "./invoice-document.ts";
import {
  drawLine,
  finishSheet,
  LEFT,
  need,
  openSheet,
  type PdfFonts,
  type Sheet,
  type Style,
  WIDTH,
  write,
  writeBeside,
  writeRow,
} from "./pdf-sheet.pdf.ts";

const WHAT: Readonly<Record<Component, string>> = {
  requests: "Requests",
  inputTokens: "Input tokens",
  outputTokens: "Output tokens",
  computeMs: "Compute time",
  minimum: "Minimum per request",
  peakRate: "Peak requests per second",
  percentileRate: "Requests per second, percentile",
  reservedRate: "Reserved requests per second",
  rateOverage: "Requests above the reserved rate",
  commitment: "Commitment",
  discount: "Discount",
  credit: "Credit",
  adjustment: "Adjustment",
};

const QUANTITY_WIDTH = 125;
const AMOUNT_WIDTH = 85;
const WHAT_WIDTH = WIDTH - QUANTITY_WIDTH - AMOUNT_WIDTH - 20;
const QUANTITY = { x: LEFT + WHAT_WIDTH + 10, width: QUANTITY_WIDTH };
const AMOUNT = { x: LEFT + WIDTH - AMOUNT_WIDTH, width: AMOUNT_WIDTH };
/** A heading and a line of two rows of text. */
const HEADING_AND_LINE = 42;
const HALF = (WIDTH - 30) / 2;
const RIGHT_HALF = { x: LEFT + HALF + 30, width: HALF };
const GREY: Style = { isGrey: true };
const BOLD: Style = { isBold: true };
const SMALL: Style = { size: "small", isGrey: true };

/** An invoice on A4, as many pages as it takes. The same document gives the same bytes. */
export async function invoicePdf(document: InvoiceDocument, fonts?: PdfFonts): Promise<Uint8Array> {
  const { name, issuedAt, replaces } = document;
  if (name === null || issuedAt === null) throw new Error(`the invoice ${document.id} has no number, so it has no PDF`);
  const sheet = openSheet({ title: `Invoice ${name}`, atMs: Date.parse(issuedAt) }, fonts);
  writeHead(sheet, "Invoice", document, [
    ["Number", name],
    ["Date", day(issuedAt)],
    ["Due", day(document.dueAt ?? issuedAt)],
    ["Period", `${day(document.period.from)} to ${lastDay(document.period.to)} (UTC)`],
    ["Currency", document.currency],
    ...(replaces === undefined ? [] : [["Replaces", `${replaces.name} of ${day(replaces.issuedAt)}, which was taken back`] as const]),
  ]);
  writeLines(sheet, document);
  writeTotals(sheet, document);
  writePayment(sheet, document);
  writeEvidence(sheet, document);
  return finishSheet(sheet, `Invoice ${name}`);
}

export async function creditPdf(document: CreditDocument, fonts?: PdfFonts): Promise<Uint8Array> {
  const { name, issuedAt, invoice, currency, taxRateBps } = document;
  const sheet = openSheet({ title: `Credit note ${name}`, atMs: Date.parse(issuedAt) }, fonts);
  writeHead(sheet, "Credit note", document, [
    ["Number", name],
    ["Date", day(issuedAt)],
    ["For invoice", `${invoice.name} of ${day(invoice.issuedAt)}`],
    ["Currency", currency],
  ]);
  write(sheet, "We credit:", { style: BOLD });
  write(sheet, document.reason);
  sheet.y += 10;
  drawLine(sheet);
  writeSum(sheet, "Net", document.netMinor, currency);
  writeSum(sheet, taxRateBps === undefined ? "Tax" : `Tax ${percent(taxRateBps)}`, document.taxMinor, currency);
  drawLine(sheet);
  writeSum(sheet, "Total credited", document.totalMinor, currency, BOLD);
  return finishSheet(sheet, `Credit note ${name}`);
}

type Headed = Pick<InvoiceDocument, "seller" | "buyer">;

function writeHead(sheet: Sheet, title: string, { seller, buyer }: Headed, facts: readonly (readonly [string, string])[]) {
  writeBeside(
    sheet,
    () => {
      write(sheet, seller?.name ?? "", { style: BOLD, width: HALF });
      for (const line of [...(seller?.address ?? []), ...labelled("Tax id", seller?.taxId), ...labelled("", seller?.email)]) {
        write(sheet, line, { style: GREY, width: HALF });
      }
    },
    () => write(sheet, title, { style: { size: "large", isBold: true, align: "right" }, ...RIGHT_HALF }),
  );
  sheet.y += 22;
  writeBeside(
    sheet,
    () => {
      write(sheet, "Billed to", { style: SMALL, width: HALF });
      write(sheet, buyer.name, { style: BOLD, width: HALF });
      for (const line of [...(buyer.address ?? []), ...labelled("Tax id", buyer.taxId)]) write(sheet, line, { width: HALF });
      write(sheet, `Tenant ${buyer.tenant}`, { style: GREY, width: HALF });
    },
    () => {
      for (const [label, text] of facts) {
        writeRow(sheet, [
          { text: label, style: GREY, x: RIGHT_HALF.x, width: 70 },
          { text, x: RIGHT_HALF.x + 75, width: HALF - 75 },
        ]);
      }
    },
  );
  sheet.y += 20;
}

function writeLines(sheet: Sheet, { lines, currency }: InvoiceDocument) {
  const head = () => {
    writeRow(sheet, [
      { text: "What", style: SMALL },
      { text: "Quantity", style: { ...SMALL, align: "right" }, ...QUANTITY },
      { text: `Amount, ${currency}`, style: { ...SMALL, align: "right" }, ...AMOUNT },
    ]);
    drawLine(sheet);
  };
  head();
  let group: string | undefined;
  for (const line of lines) {
    const name = groupOf(line);
    if (name !== group) {
      sheet.y += 4;
      need(sheet, HEADING_AND_LINE, head); // a heading alone at the foot of a page heads nothing
      writeRow(sheet, [{ text: name, style: BOLD, width: WIDTH }], head);
    }
    group = name;
    writeRow(sheet, cellsOf(line, currency), head);
  }
  if (lines.length === 0) write(sheet, "Nothing was used.", { style: GREY });
}

function cellsOf(line: DocumentLine, currency: string) {
  const { component, note, priceVersion, quantity, unit, amountMinor, adjustment } = line;
  const priced = priceVersion > 0 ? `price revision ${priceVersion}` : "";
  const by = adjustment === undefined ? "" : `${adjustment.id}, ${day(adjustment.at)}`;
  const details = [note, priced, by].filter((each) => each !== "").join(" · ");
  return [
    { text: details === "" ? WHAT[component] : `${WHAT[component]}: ${details}`, x: LEFT + 10, width: WHAT_WIDTH - 10 },
    { text: `${grouped(quantity)} ${plural(unit, quantity)}`, style: { align: "right" }, ...QUANTITY },
    { text: grouped(printMinor(BigInt(amountMinor), currency)), style: { align: "right" }, ...AMOUNT },
  ] as const;
}

function groupOf({ model, version, arm, tier }: DocumentLine): string {
  if (model === null) return "The whole month";
  const named = version === null ? model : `${model}@${version}`;
  return [named, arm === null ? "" : `arm ${arm}`, tier ?? ""].filter((each) => each !== "").join(" · ");
}

function writeTotals(sheet: Sheet, { taxes, totals, currency, unpriced }: InvoiceDocument) {
  sheet.y += 4;
  need(sheet, 90);
  drawLine(sheet);
  writeSum(sheet, "Net", totals.netMinor, currency);
  for (const { rateBps, netMinor, taxMinor } of taxes) {
    writeSum(sheet, `Tax ${percent(rateBps)} of ${grouped(printMinor(BigInt(netMinor), currency))}`, taxMinor, currency);
  }
  drawLine(sheet);
  writeSum(sheet, `Total ${currency}`, totals.totalMinor, currency, BOLD);
  for (const { model, version, requests } of unpriced) {
    write(sheet, `${grouped(requests)} requests to ${model}@${version} have no price and cost nothing.`, { style: SMALL });
  }
}

function writeSum(sheet: Sheet, label: string, minor: string, currency: string, style: Style = {}) {
  const text = grouped(printMinor(BigInt(minor), currency));
  writeRow(sheet, [
    { text: label, style: { ...style, align: "right" }, width: WIDTH - AMOUNT_WIDTH - 10 },
    { text, style: { ...style, align: "right" }, ...AMOUNT },
  ]);
}

function writePayment(sheet: Sheet, { seller }: InvoiceDocument) {
  if (seller?.payment === undefined) return;
  sheet.y += 14;
  need(sheet, 30);
  write(sheet, "How to pay", { style: SMALL });
  for (const line of seller.payment) write(sheet, line);
}

function writeEvidence(sheet: Sheet, { evidence, rounding, seller, priceBook }: InvoiceDocument) {
  sheet.y += 14;
  need(sheet, 60);
  if (seller?.note !== undefined) write(sheet, seller.note, { style: SMALL });
  write(sheet, `Price book ${priceBook.name}, revisions ${priceBook.revisions.join(", ") || "none"}. ${rounding}`, { style: SMALL });
  if (evidence !== null) write(sheet, evidenceText(evidence), { style: SMALL });
}

function evidenceText({ of, sealed, audited, rows, buckets, revised, sealsDigest }: Evidence): string {
  const [all, closed, again] = [of, sealed, audited].map((count) => grouped(`${count}`));
  const found = `${grouped(`${rows}`)} rows in ${grouped(`${buckets}`)} of them, ${grouped(`${revised}`)} found changed`;
  return `Ledger: ${closed} of ${all} buckets sealed, ${again} read again a day later; ${found}. Digest of the seals: ${sealsDigest}`;
}

function labelled(label: string, text: string | undefined): string[] {
  if (text === undefined) return [];
  return [label === "" ? text : `${label} ${text}`];
}

/** 1234567.89 as 1,234,567.89; without Intl, whose data differ between machines. */
function grouped(text: string): string {
  return text.replace(/\B(?<!\.\d*)(?=(\d{3})+(?!\d))/g, ",");
}

function plural(unit: string, quantity: string): string {
  if (quantity === "1" || unit === "") return unit;
  return unit === "request per second" ? "requests per second" : `${unit}s`;
}

function percent(bps: number): string {
  return `${Math.trunc(bps / 100)}${
    bps % 100 === 0
      ? ""
      : `.${String(bps % 100)
          .padStart(2, "0")
          .replace(/0$/, "")}`
  } %`;
}

function day(at: string): string {
  return at.slice(0, 10);
}

/** The end of a period is the first instant after it. */
function lastDay(to: string): string {
  return day(new Date(Date.parse(to) - 1).toISOString());
}
