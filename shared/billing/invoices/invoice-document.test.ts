import fc from "fast-check";
import { expect, test } from "vitest";
import { documentOf, issuedOf, lineOf } from "../../../test/harness/invoices.ts";
import { canonicalJson } from "../canonical-json.ts";
import { InvoiceDocument, taxesOf } from "./invoice-document.ts";

test("lines and taxes add up to the total, whatever they are", () => {
  const amounts = fc.array(fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n }), { maxLength: 30 });
  const property = fc.property(amounts, fc.integer({ min: 0, max: 10_000 }), (minors, taxRateBps) => {
    const { lines, taxes, totals } = documentOf(
      minors.map((minor) => lineOf(minor)),
      { taxRateBps },
    );
    const sum = [...lines.map((line) => line.amountMinor), ...taxes.map((tax) => tax.taxMinor)].reduce(
      (all, each) => all + BigInt(each),
      0n,
    );
    expect(`${sum}`).toBe(totals.totalMinor);
  });

  fc.assert(property);
});

test("a tax is rounded once, on the sum of its rate's lines, and not line by line", () => {
  const lines = [
    ...Array.from({ length: 3 }, () => ({ amountMinor: "3", taxRateBps: 1_900 })), // 0.57 each: three times 1 if each were rounded
    { amountMinor: "-1", taxRateBps: 700 },
    { amountMinor: "50", taxRateBps: 100 }, // half a cent goes away from zero
    { amountMinor: "-50", taxRateBps: 101 },
  ];

  expect(taxesOf(lines)).toEqual([
    { rateBps: 100, netMinor: "50", taxMinor: "1" },
    { rateBps: 101, netMinor: "-50", taxMinor: "-1" },
    { rateBps: 700, netMinor: "-1", taxMinor: "0" },
    { rateBps: 1_900, netMinor: "9", taxMinor: "2" },
  ]);
});

test("an adjustment is a line of its own, with its id, reason and author", () => {
  const adjustment = { id: "a-1", amountMinor: "-500", reason: "outage", by: "k1", at: "2026-11-20T00:00:00.000Z" };

  const { lines, totals } = documentOf([lineOf(1_000n)], { adjustments: [adjustment], taxRateBps: 0 });

  expect(lines[1]).toMatchObject({ component: "adjustment", note: "outage", amountMinor: "-500", adjustment: { id: "a-1", by: "k1" } });
  expect(totals.totalMinor).toBe("500");
});

test("a document is the same text whatever order its fields were made in, and reads back", () => {
  const document = issuedOf(documentOf([lineOf(1_000n)]));
  const text = canonicalJson(document);

  expect(canonicalJson(Object.fromEntries(Object.entries(document).reverse()))).toBe(text);
  expect(InvoiceDocument.parse(JSON.parse(text))).toEqual(document);
  expect(() => canonicalJson({ x: Number.NaN })).toThrow("NaN");
});
