import { acceptedAtMsOf } from "../../base/id.ts";
import type { UsageRow } from "../../usage/row.ts";
import type { Receipt } from "./receipt.ts";

export type Reconciled = {
  /** Receipts whose row is in the invoice and says the same. */
  readonly matched: number;
  /** Receipts of the invoice's tenant without a row: nothing was charged for them, or it was in another month. */
  readonly missing: readonly string[];
  /** Request ids whose row says something else than the receipt, with the fields in which they differ. */
  readonly different: readonly { readonly requestId: string; readonly fields: readonly string[] }[];
  /** Requests with more than one row. */
  readonly doubled: readonly string[];
  /** Rows for which there is no receipt: of requests that asked for none. */
  readonly unreceipted: number;
};

/**
 * Holds receipts, whose signatures have been checked, against the rows of an invoice: what a tenant was told of each request against what it is charged for.
 * Rows are read once and not kept.
 */
export async function reconcile(receipts: Iterable<Receipt>, rows: AsyncIterable<UsageRow>): Promise<Reconciled> {
  const open = new Map([...receipts].map((receipt) => [receipt.requestId, receipt]));
  const seen = new Set<string>();
  const doubled: string[] = [];
  const different: { requestId: string; fields: string[] }[] = [];
  let unreceipted = 0;
  for await (const row of rows) {
    const receipt = open.get(row.requestId);
    if (receipt === undefined) {
      unreceipted += 1;
      continue;
    }
    if (seen.has(row.requestId)) doubled.push(row.requestId);
    seen.add(row.requestId);
    const fields = differences(receipt, row);
    if (fields.length > 0) different.push({ requestId: row.requestId, fields });
  }
  const missing = [...open.keys()].filter((requestId) => !seen.has(requestId));
  return { matched: seen.size - new Set(different.map(({ requestId }) => requestId)).size, missing, different, doubled, unreceipted };
}

export function isReconciled({ missing, different, doubled }: Reconciled): boolean {
  return missing.length + different.length + doubled.length === 0;
}

const SAME = ["tenant", "task", "outcome", "inputs", "inputTokens", "outputTokens", "computeMs", "priceVersion"] as const;

function differences(receipt: Receipt, row: UsageRow): string[] {
  const fields: string[] = SAME.filter((field) => receipt[field] !== row[field]);
  if (receipt.model !== `${row.model}@${row.servedVersion}`) fields.push("model");
  if (Date.parse(receipt.acceptedAt) !== acceptedAtMsOf(row.requestId)) fields.push("acceptedAt");
  return fields;
}
