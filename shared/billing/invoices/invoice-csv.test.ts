import { expect, test } from "vitest";
import { documentOf, issuedOf, lineOf } from "../../../test/harness/invoices.ts";
import { creditCsv, invoiceCsv } from "./invoice-csv.ts";

const HEAD =
  "kind,invoice,month,currency,component,model,version,arm,tier,price_version,quantity,unit,note,tax_rate_bps,amount,amount_minor,amount_pico,replaces,tax_minor";

test("a CSV has a row per line, tax and total, with numbers as numbers", () => {
  const csv = invoiceCsv(issuedOf(documentOf([lineOf(1_000n), lineOf(-200n, { component: "discount", model: null, version: null })])));

  expect(csv.split("\r\n")).toEqual([
    HEAD,
    "line,INV-000017,2026-11,EUR,requests,minilm,1,stable,cpu,1,1000,request,,1900,10.00,1000,10000000000000,,",
    "line,INV-000017,2026-11,EUR,discount,,,stable,cpu,1,1000,request,,1900,-2.00,-200,-2000000000000,,",
    "tax,INV-000017,2026-11,EUR,,,,,,,,,,1900,1.52,152,,,",
    "total,INV-000017,2026-11,EUR,,,,,,,,,,,9.52,952,,,",
    "",
  ]);
});

test.each(["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1"])("a text that a spreadsheet would run, %j, is made a text", (reason) => {
  const at = "2026-11-20T00:00:00.000Z";
  const csv = invoiceCsv(documentOf([], { adjustments: [{ id: "a", amountMinor: "1", reason, by: "k", at }] }));

  expect(csv).toContain(`'${reason}`);
});

test("commas, quotes and line breaks stay in their cell", () => {
  const csv = invoiceCsv(documentOf([lineOf(1n, { note: 'a "b", c\nd' })]));

  expect(csv).toContain('"a ""b"", c\nd"');
});

test("a credit note is one row below zero, with what of it is tax and at which rate", () => {
  const note = {
    schema: "weir-credit-note-1",
    id: "acme-2026-11.r",
    name: "CN-000003",
    issuedAt: "2026-12-05T00:00:00.000Z",
    invoice: { id: "acme-2026-11", name: "INV-000017", issuedAt: "2026-12-02T00:00:00.000Z" },
    seller: null,
    buyer: { tenant: "acme", name: "Acme" },
    currency: "JPY",
    minorDigits: 0,
    reason: "=x",
    netMinor: "100",
    taxRateBps: 1_900,
    taxMinor: "19",
    totalMinor: "119",
  } as const;

  expect(creditCsv(note).split("\r\n")[1]).toBe("credit,CN-000003,2026-12,JPY,,,,,,,,,INV-000017: =x,1900,-119,-119,,,-19");
});
