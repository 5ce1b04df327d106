import { type IssuedInvoice, invoiceId } from "../../shared/billing/invoices/invoice.ts";
import type { InvoiceDocument } from "../../shared/billing/invoices/invoice-document.ts";
import { makeDocument } from "../../shared/billing/invoices/invoice-document.ts";
import type { Seller } from "../../shared/billing/invoices/seller.ts";
import type { Component, Line } from "../../shared/billing/line.ts";

export const SELLER_OF_TESTS: Seller = {
  name: "Weir Hosting GmbH",
  address: ["Flußstraße 12", "10115 Berlin"],
  taxId: "DE123456789",
  payment: ["IBAN DE00 0000"],
  paymentTermDays: 30,
  invoicePrefix: "INV",
  creditPrefix: "CN",
};

const CLOSED = { of: 43_200, sealed: 43_200, audited: 43_200 };

export function lineOf(amountMinor: bigint, more: Partial<Line> = {}): Line {
  const component: Component = "requests";
  const plain = { component, model: "minilm", version: 1, arm: "stable", tier: "cpu", priceVersion: 1, note: "" } as const;
  return { ...plain, quantity: 1_000n, unit: "request", amountPico: amountMinor * 10n ** 10n, amountMinor, ...more };
}

/** A document of acme's November; what is to be different is given. */
export function documentOf(lines: readonly Line[], more: Partial<Parameters<typeof makeDocument>[0]> = {}): InvoiceDocument {
  return makeDocument({
    id: "acme-2026-11",
    month: "2026-11",
    seller: SELLER_OF_TESTS,
    buyer: { tenant: "acme", name: "Acme Ltd" },
    currency: "EUR",
    taxRateBps: 1_900,
    priceBook: { name: "standard", revisions: [1], discountBps: 0 },
    lines,
    adjustments: [],
    unpriced: [],
    closed: CLOSED,
    evidence: { ...CLOSED, buckets: 10, revised: 0, rows: 1_000, sealsDigest: "ab".repeat(32) },
    ...more,
  });
}

/** The same with a number. */
export function issuedOf(document: InvoiceDocument): InvoiceDocument {
  return { ...document, name: "INV-000017", issuedAt: "2026-12-02T03:00:00.000Z", dueAt: "2027-01-01T03:00:00.000Z" };
}

const KEPT = { key: "invoices/x", sha256: "0".repeat(64), bytes: 2 };

/** An issued invoice of 119.00, of which nothing is paid or given back. */
export function issuedInvoiceOf(tenant: string, month = "2026-11"): IssuedInvoice {
  const at = "2026-12-02T03:00:00.000Z";
  return {
    state: "issued",
    id: invoiceId(tenant, month),
    tenant,
    month,
    currency: "EUR",
    totals: { netMinor: "10000", taxMinor: "1900", totalMinor: "11900" },
    closed: CLOSED,
    adjustments: [],
    issue: { number: 17, name: "INV-000017", issuedAt: at, dueAt: at, documents: { json: KEPT, csv: KEPT, pdf: KEPT } },
    credits: [],
  };
}
