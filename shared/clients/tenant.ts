import { BalanceReport } from "../billing/credit.ts";
import { type UsageQuery, UsageReport } from "../usage/report.ts";
import type { Http } from "./http.ts";

/** What a tenant reads of itself with its key; models are called by the clients of their dialects. */
export type TenantClient = ReturnType<typeof createTenantClient>;

export function createTenantClient(http: Http) {
  return {
    usage: (query: Partial<UsageQuery>) => http.ask({ method: "GET", path: ["v1", "usage"], query, answer: UsageReport }),
    balance: () => http.ask({ method: "GET", path: ["v1", "balance"], answer: BalanceReport }),
  };
}
