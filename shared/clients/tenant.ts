import type * as z from "zod";
import { type PageQuery, pageOf } from "../base/page.ts";
import { BalanceReport } from "../billing/balances/credit.ts";
import { type PriceQuestion, PriceQuote } from "../billing/prices/quote.ts";
import { ReceiptKeySet } from "../billing/receipts/receipt.ts";
import { CreatedKey, KeyRevision, type KeyRotation, type NewOwnKey } from "../keys/key-requests.ts";
import { LimitsReport } from "../limits/report.ts";
import type { ExportFormat } from "../usage/export.ts";
import { type UsageQuery, UsageReport } from "../usage/totals/report.ts";
import type { Http } from "./http.ts";
import { invoicesOf } from "./invoices.ts";
import { webhooksOf } from "./webhooks.ts";

/** What a tenant reads and changes of itself with its key; models are called by the clients of their dialects. */
export type TenantClient = ReturnType<typeof createTenantClient>;

export function createTenantClient(http: Http) {
  return {
    usage: (query: Partial<UsageQuery>) => http.ask({ method: "GET", path: ["v1", "usage"], query, answer: UsageReport }),
    /** A month's rows or seals, line by line as they come. */
    usageExport: (kind: "export" | "seals", query: { month: string; tenant?: string; format?: ExportFormat }) =>
      http.stream({ method: "GET", path: ["v1", "usage", kind], query }),
    invoices: invoicesOf(http, ["v1", "invoices"]),
    webhooks: webhooksOf(http, ["v1", "webhooks"]),
    limits: () => http.ask({ method: "GET", path: ["v1", "limits"], answer: LimitsReport }),
    balance: () => http.ask({ method: "GET", path: ["v1", "balance"], answer: BalanceReport }),
    quote: (body: z.input<typeof PriceQuestion>) => http.ask({ method: "POST", path: ["v1", "price"], body, answer: PriceQuote }),
    receiptKeys: () => http.ask({ method: "GET", path: [".well-known", "weir-receipts"], answer: ReceiptKeySet }),
    keys: ownKeysOf(http),
  };
}

function ownKeysOf(http: Http) {
  const root = ["v1", "keys"];
  return {
    create: (body: NewOwnKey) => http.ask({ method: "POST", path: root, body, answer: CreatedKey }),
    list: (query: Partial<PageQuery>) => http.ask({ method: "GET", path: root, query, answer: pageOf(KeyRevision) }),
    show: (id: string) => http.ask({ method: "GET", path: [...root, id], answer: KeyRevision }),
    rotate: (id: string, body: Partial<KeyRotation>) =>
      http.ask({ method: "POST", path: [...root, id, "rotate"], body, answer: CreatedKey }),
    revoke: (id: string, why?: string) =>
      http.ask({ method: "DELETE", path: [...root, id], headers: why === undefined ? {} : { "weir-reason": why }, answer: KeyRevision }),
  };
}
