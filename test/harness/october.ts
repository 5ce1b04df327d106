import { sha256Hex } from "../../shared/base/hash.ts";
import { type Invoice, type InvoiceIn, isIssued } from "../../shared/billing/invoices/invoice.ts";
import { InvoiceDocument } from "../../shared/billing/invoices/invoice-document.ts";
import type { PriceBook } from "../../shared/billing/prices/price-book.ts";
import { HOUR_MS, MINUTE_MS } from "../../shared/usage/period.ts";
import type { LeanUse } from "./fake-dynamo/lean.ts";
import { createInvoicingWorld, type InvoicingWorld } from "./invoicing.ts";
import { rowAt } from "./sealing.ts";

/** The first tenant comes late in October: nothing before is sealed, and the tests are quick. */
export const OCTOBER = Date.UTC(2026, 9, 31);
export const NOVEMBER = Date.UTC(2026, 10, 1);
/** When October is sealed and read again. */
export const AUDITED = NOVEMBER + 26 * HOUR_MS;

export const BOOK: PriceBook = {
  name: "standard",
  currency: "EUR",
  effectiveFrom: "2026-10-01T00:00:00Z",
  entries: [{ perRequest: { price: "0.5" }, per1000InputTokens: { price: "1" } }],
};

/** The end of a month with prices, before anybody has used anything. */
export type October = InvoicingWorld & {
  /** Three requests of 7 tokens: 1.50 and 0.02 EUR before tax. */
  readonly use: (tenant: string, fromMs?: number) => Promise<void>;
  readonly invoice: (id: string) => Promise<Invoice | undefined>;
  readonly invoiceIn: <State extends Invoice["state"]>(id: string, state: State) => Promise<InvoiceIn<State>>;
  readonly issued: (id: string) => Promise<InvoiceIn<"issued">>;
  /** What an invoice says, whose bytes are those that it was kept with. */
  readonly documentOf: (id: string) => Promise<InvoiceDocument>;
};

export async function createOctober(more: { readonly fromMs?: number; readonly use?: LeanUse } = {}): Promise<October> {
  const { fromMs: startMs = OCTOBER, use } = more;
  const world = createInvoicingWorld(startMs, use === undefined ? {} : { use });
  await world.setPrices(BOOK);
  const invoice = async (id: string) => (await world.deps.invoices.current(id))?.body;
  const invoiceIn = async <State extends Invoice["state"]>(id: string, state: State) => {
    const body = await invoice(id);
    if (body?.state !== state) throw new Error(`${id} is ${body?.state}`);
    return body as InvoiceIn<State>; // its state was just compared
  };
  return {
    ...world,
    async use(tenant, fromMs = startMs + 2 * HOUR_MS) {
      for (const minute of [0, 1, 90]) await world.settle(rowAt(fromMs + minute * MINUTE_MS, { tenant }));
    },
    invoice,
    invoiceIn,
    issued: (id) => invoiceIn(id, "issued"),
    async documentOf(id) {
      const body = await invoice(id);
      if (body === undefined || !isIssued(body)) throw new Error(`${id} is not issued`);
      const { key, sha256 } = body.issue.documents.json;
      const bytes = world.objects.get(key) ?? new Uint8Array();
      if (sha256Hex(bytes) !== sha256) throw new Error(`${key} is not what it was`);
      return InvoiceDocument.parse(JSON.parse(Buffer.from(bytes).toString()));
    },
  };
}
