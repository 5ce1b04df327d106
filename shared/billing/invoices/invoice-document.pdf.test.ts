import { createRequire } from "node:module";
import { inflateSync } from "node:zlib";
import { expect, test } from "vitest";
import { documentOf, issuedOf, lineOf } from "../../../test/harness/invoices.ts";
import { makeCreditDocument } from "./credit-document.ts";
import { creditPdf, invoicePdf } from "./invoice-document.pdf.ts";

/** The texts of a PDF with the standard's fonts, one per line that is drawn. */
function textOf(pdf: Uint8Array): string {
  const bytes = Buffer.from(pdf);
  let text = "";
  for (let at = bytes.indexOf("stream\n"); at !== -1; at = bytes.indexOf("stream\n", at + 7)) {
    const end = bytes.indexOf("\nendstream", at);
    if (bytes.subarray(at - 3, at).toString() === "end" || end === -1) continue;
    const content = inflateSync(bytes.subarray(at + 7, end)).toString("latin1");
    for (const [, array = ""] of content.matchAll(/\[(.*?)\] TJ/g)) {
      text += `${[...array.matchAll(/<([0-9a-f]*)>/g)].map(([, hex = ""]) => Buffer.from(hex, "hex").toString("latin1")).join("")}\n`;
    }
  }
  return text;
}

const pagesOf = (pdf: Uint8Array) =>
  Buffer.from(pdf)
    .toString("latin1")
    .match(/\/Type \/Page\b/g)?.length;

test("an invoice's PDF says who, what and how much, and is the same bytes each time", async () => {
  const document = issuedOf(
    documentOf([lineOf(123_456_789n, { quantity: 1_234_567n })], { unpriced: [{ model: "free", version: 2, requests: 3n }] }),
  );

  const pdf = await invoicePdf(document);

  expect(await invoicePdf(document)).toEqual(pdf);
  const text = textOf(pdf);
  for (const part of [
    "INV-000017",
    "Weir Hosting GmbH",
    "Acme Ltd",
    "minilm@1",
    "1,234,567 requests",
    "1,234,567.89",
    "Total EUR",
    "ab".repeat(32),
  ]) {
    expect(text).toContain(part);
  }
  expect(text).toContain("3 requests to free@2 have no price");
  expect(pagesOf(pdf)).toBe(1);
});

test("many lines go over several pages, each with the table's head and its number", async () => {
  const lines = Array.from({ length: 150 }, (_, place) =>
    lineOf(BigInt(place), { model: `m${place >> 1}`, component: place % 2 ? "requests" : "inputTokens" }),
  );

  const pdf = await invoicePdf(issuedOf(documentOf(lines)));

  const pages = pagesOf(pdf) ?? 0;
  expect(pages).toBeGreaterThan(4);
  expect(textOf(pdf).match(/^What$/gm)?.length).toBeGreaterThanOrEqual(pages - 1); // the last page may have totals only
  expect(textOf(pdf)).toContain(`page ${pages} of ${pages}`);
});

test("letters that the typeface lacks are shown as a gap, and the page says so", async () => {
  const buyer = { tenant: "acme", name: "Żółć & Søns 株式会社", address: ["שלום"] };

  const text = textOf(await invoicePdf(issuedOf(documentOf([], { buyer }))));

  expect(text).toContain("[?]ó[?] & Søns [?]");
  expect(text).toContain("stands for characters that this document's typeface lacks");
});

const fontOf = (name: string) => createRequire(import.meta.url).resolve(`dejavu-fonts-ttf/ttf/${name}.ttf`);
const FONTS = { regular: fontOf("DejaVuSansCondensed"), bold: fontOf("DejaVuSansCondensed-Bold") };

/** Every character that a PDF with embedded typefaces shows: what its glyphs stand for when its text is copied. */
function lettersOf(pdf: Uint8Array): Set<string> {
  const bytes = Buffer.from(pdf);
  const letters = new Set<string>();
  for (let at = bytes.indexOf("stream\n"); at !== -1; at = bytes.indexOf("stream\n", at + 7)) {
    const end = bytes.indexOf("\nendstream", at);
    if (bytes.subarray(at - 3, at).toString() === "end" || end === -1) continue;
    const content = inflateSync(bytes.subarray(at + 7, end)).toString("latin1");
    const [, range = ""] = /beginbfrange(.*)endbfrange/s.exec(content) ?? [];
    for (const [, list = ""] of range.matchAll(/\[(.*?)\]/g)) {
      for (const [, hex = ""] of list.matchAll(/<([0-9a-f]+)>/g)) letters.add(Buffer.from(hex, "hex").swap16().toString("utf16le"));
    }
  }
  return letters;
}

test.each([
  ["Polish", "Zażółć gęślą jaźń ŁŚŻ"],
  ["Turkish", "İstanbul ığşçöü"],
  ["Vietnamese", "Nguyễn Phước Đà Nẵng"],
  ["Greek", "Ελληνική Εταιρεία ΐάώ"],
  ["Cyrillic", "ООО «Ромашка» Їжак Ђорђе"],
])("%s names show letter by letter, in both weights, and the same bytes each time", async (_, name) => {
  const document = issuedOf(documentOf([lineOf(1n)], { buyer: { tenant: "acme", name: name.normalize("NFD"), address: [name] } }));

  const pdf = await invoicePdf(document, FONTS);

  const letters = lettersOf(pdf);
  expect([...name.normalize("NFC").replaceAll(" ", "")].filter((letter) => !letters.has(letter))).toEqual([]);
  expect(letters.has("?")).toBe(false);
  expect(await invoicePdf(document, FONTS)).toEqual(pdf);
});

test.each(["株式会社", "شركة", "חברה", "😀", "บริษัท"])(
  "letters outside of it, such as %s, are shown as a gap, and the page says so",
  async (name) => {
    const document = issuedOf(documentOf([], { buyer: { tenant: "acme", name } }));

    const letters = lettersOf(await invoicePdf(document, FONTS));

    expect([...name].filter((letter) => letters.has(letter))).toEqual([]);
    expect(["[", "?", "]"].filter((letter) => !letters.has(letter))).toEqual([]);
  },
);

test("a name of any length stays on the page", async () => {
  const buyer = { tenant: "acme", name: "W".repeat(200) };

  expect(pagesOf(await invoicePdf(issuedOf(documentOf([lineOf(1n)], { buyer }))))).toBe(1);
});

test("a draft has no PDF, since it has no number", async () => {
  await expect(invoicePdf(documentOf([]))).rejects.toThrow("no number");
});

test("a credit note names its invoice, what is given back, and the rate of its tax where that is one", async () => {
  const credit = { id: "r", reason: "wrong price", amountMinor: "1190", taxMinor: "190", by: "k", at: "2026-12-05T00:00:00.000Z" };
  const note = { id: "acme-2026-11.r", name: "CN-000003", issuedAt: "2026-12-05T00:00:00.000Z" };
  const document = makeCreditDocument(issuedOf(documentOf([lineOf(1_000n)])), credit, note);

  const text = textOf(await creditPdf(document));

  for (const part of ["CN-000003", "INV-000017 of 2026-12-02", "wrong price", "10.00", "Tax 19 %", "1.90", "11.90"])
    expect(text).toContain(part);
  const taxes = [document.taxRateBps, 700].map((rateBps = 0) => ({ rateBps, netMinor: "500", taxMinor: "1" }));
  expect(makeCreditDocument({ ...issuedOf(documentOf([])), taxes }, credit, note)).not.toHaveProperty("taxRateBps");
});
