import { PriceBook } from "../../shared/billing/prices/price-book.ts";
import type { TenantBilling } from "../../shared/billing/tenant-billing.ts";
import type { TenantName } from "./seed-store.ts";

const FROM = { currency: "EUR", effectiveFrom: "2026-01-01T00:00:00Z" } as const;

/** Odd prices, so that amounts that are right by chance are few. */
export const BOOKS = [
  {
    ...{ name: "flat", ...FROM },
    entries: [
      {
        perRequest: { price: "0.0137" },
        per1000InputTokens: { price: "0.11" },
        per1000OutputTokens: { price: "1.3" },
        perComputeMs: { cpu: { price: "0.0000001" } },
      },
    ],
  },
  {
    ...{ name: "stepped", ...FROM },
    entries: [
      { model: "minilm", perRequest: { graduated: [{ upTo: 2, price: "0.0137" }, { price: "0.0049" }] } },
      { model: "smol", perRequest: { price: "0.01" }, per1000OutputTokens: { price: "1.7", free: 100 } },
    ],
  },
].map((book) => PriceBook.parse(book));

export const BILLING: Readonly<Record<TenantName, TenantBilling>> = {
  acme: { priceBook: "stepped", discountBps: 250, taxRateBps: 1_900 },
  globex: { priceBook: "flat", discountBps: 0, taxRateBps: 700 },
  initech: { priceBook: "flat", discountBps: 0, taxRateBps: 1_900, isPrepaid: true },
};
