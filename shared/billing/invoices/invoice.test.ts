import fc from "fast-check";
import { expect, test } from "vitest";
import {
  adjust,
  credit,
  Invoice,
  type IssuedInvoice,
  invoiceId,
  leftMinorOf,
  numberName,
  partsOfInvoiceId,
  pay,
  voidInvoice,
} from "./invoice.ts";

const AT = "2026-12-02T00:00:00.000Z";
const CHANGE = { by: "k1", at: AT };
const document = { key: "invoices/x", sha256: "0".repeat(64), bytes: 2 };

const HEAD = {
  id: "acme-2026-11",
  tenant: "acme",
  month: "2026-11",
  currency: "EUR",
  totals: { netMinor: "10000", taxMinor: "1900", totalMinor: "11900" },
  closed: { of: 43_200, sealed: 43_200, audited: 43_200 },
  adjustments: [],
};
const draft: Invoice = { ...HEAD, state: "draft", document, madeAt: AT };
const issued: IssuedInvoice = {
  ...HEAD,
  state: "issued",
  issue: { number: 17, name: "INV-000017", issuedAt: AT, dueAt: AT, documents: { json: document, csv: document, pdf: document } },
  credits: [],
};
const payment = { reference: "transfer 5", paidAt: AT };

test("an issued invoice is paid once; the same payment again changes nothing, another one is refused", () => {
  const paid = pay(issued, payment);

  expect(Invoice.parse(paid)).toMatchObject({ state: "paid", payment });
  expect(pay(paid, payment)).toBe(paid);
  expect(() => pay(paid, { ...payment, reference: "another" })).toThrow("INV-000017 is paid");
});

test("a draft can neither be paid nor voided nor credited", () => {
  expect(() => pay(draft, payment)).toThrow("acme-2026-11 is draft");
  expect(() => voidInvoice(draft, { reason: "x", at: AT })).toThrow("acme-2026-11 is draft");
  expect(() => credit(draft, { id: "c", reason: "x" }, CHANGE)).toThrow("acme-2026-11 is draft");
});

test("what is paid or credited is not voided, and what is void can be neither paid nor credited", () => {
  const voided = voidInvoice(issued, { reason: "sent to the wrong company", at: AT });
  const credited = credit(issued, { id: "c", reason: "x", amountMinor: "1" }, CHANGE).invoice;

  expect(voidInvoice(voided, { reason: "again", at: AT })).toBe(voided);
  expect(() => voidInvoice(pay(issued, payment), { reason: "x", at: AT })).toThrow("credit note");
  expect(() => voidInvoice(credited, { reason: "x", at: AT })).toThrow("credit notes");
  expect(() => pay(voided, payment)).toThrow("is void");
  expect(() => credit(voided, { id: "d", reason: "x" }, CHANGE)).toThrow("is void");
});

test("an adjustment is made once; after the draft no more of them are taken", () => {
  const adjustment = { id: "a-1", amountMinor: "-500", reason: "outage of the 3rd", ...CHANGE };
  const adjusted = adjust(draft, adjustment);

  expect(adjusted.adjustments).toEqual([adjustment]);
  expect(adjust(adjusted, { ...adjustment, by: "k2" })).toBe(adjusted);
  expect(() => adjust(adjusted, { ...adjustment, amountMinor: "-501" })).toThrow("another adjustment 'a-1'");
  expect(() => adjust({ ...draft, state: "frozen", prefix: "INV", paymentTermDays: 30 }, adjustment)).toThrow("no draft any more");
});

test("credits never give back more than the invoice, in whatever order they are asked for, and their taxes add up to its tax", () => {
  const amounts = fc.array(fc.bigInt({ min: 1n, max: 6_000n }), { maxLength: 12 });
  const property = fc.property(amounts, (asked) => {
    let invoice: Invoice = issued;
    for (const [place, amount] of asked.entries()) {
      try {
        invoice = credit(invoice, { id: `c${place}`, amountMinor: `${amount}`, reason: "x" }, CHANGE).invoice;
      } catch {
        expect(amount).toBeGreaterThan(leftMinorOf(invoice as IssuedInvoice)); // credits keep the state
      }
    }
    expect(leftMinorOf(invoice as IssuedInvoice)).toBeGreaterThanOrEqual(0n);
    const { invoice: all } =
      leftMinorOf(invoice as IssuedInvoice) > 0n ? credit(invoice, { id: "rest", reason: "x" }, CHANGE) : { invoice };
    const sum = (field: "amountMinor" | "taxMinor") => (all as IssuedInvoice).credits.reduce((sum, each) => sum + BigInt(each[field]), 0n);
    expect([sum("amountMinor"), sum("taxMinor"), leftMinorOf(all as IssuedInvoice)]).toEqual([11_900n, 1_900n, 0n]);
    expect(() => credit(all, { id: "more", amountMinor: "1", reason: "x" }, CHANGE)).toThrow("0 minor units are left");
  });

  fc.assert(property, { numRuns: 300 });
});

test("of each credit the tax is no more than the credit itself, and at any time what is given back is in proportion, however small its parts", () => {
  const totals = fc.record({ net: fc.bigInt({ min: 1n, max: 500n }), bps: fc.bigInt({ min: 0n, max: 10_000n }) });
  const property = fc.property(totals, fc.array(fc.bigInt({ min: 1n, max: 9n }), { maxLength: 99 }), ({ net, bps }, asked) => {
    const tax = (net * bps + 5_000n) / 10_000n;
    const total = net + tax;
    let invoice: Invoice = { ...issued, totals: { netMinor: `${net}`, taxMinor: `${tax}`, totalMinor: `${total}` } };
    let [given, taxGiven] = [0n, 0n];
    for (const [place, amount] of [...asked, total].entries()) {
      const left = total - given;
      if (left === 0n) break;
      const made = credit(invoice, { id: `c${place}`, amountMinor: `${amount < left ? amount : left}`, reason: "x" }, CHANGE);
      invoice = made.invoice;
      given += BigInt(made.credit.amountMinor);
      taxGiven += BigInt(made.credit.taxMinor);
      expect(BigInt(made.credit.taxMinor)).toBeGreaterThanOrEqual(0n);
      expect(BigInt(made.credit.taxMinor)).toBeLessThanOrEqual(BigInt(made.credit.amountMinor));
      expect(taxGiven).toBe((2n * given * tax + total) / (2n * total));
    }
  });

  fc.assert(property, { numRuns: 300 });
});

test("the same credit twice is one; the same id for another is refused", () => {
  const ask = { id: "c", amountMinor: "100", reason: "x" };
  const once = credit(issued, ask, CHANGE);

  expect(credit(once.invoice, ask, { ...CHANGE, at: "2027-01-01T00:00:00.000Z" })).toEqual(once);
  expect(() => credit(once.invoice, { ...ask, amountMinor: "101" }, CHANGE)).toThrow("another credit 'c'");
});

test("an id holds tenant and month, whatever the tenant is called", () => {
  expect(partsOfInvoiceId(invoiceId("a-2026-01", "2026-11"))).toEqual({ tenant: "a-2026-01", month: "2026-11", place: 1 });
  expect(partsOfInvoiceId("a-2026-01-r2-2026-11-r12")).toEqual({ tenant: "a-2026-01-r2", month: "2026-11", place: 12 });
  expect(
    ["acme", "acme-2026-13", "-2026-11", "ACME-2026-11", "acme2026-11", "a-2026-11-r1", "a-2026-11-r100"].map(partsOfInvoiceId),
  ).toEqual(Array(7).fill(undefined));
  expect([numberName("INV", 17), numberName("INV", 1_234_567)]).toEqual(["INV-000017", "INV-1234567"]);
});
