import { Failure } from "../../shared/base/failure.ts";
import { signReceipt } from "../../shared/billing/receipts/receipt.ts";
import type { UsageRow } from "../../shared/usage/row.ts";
import type { Deps } from "../deps.ts";
import type { Call } from "./serve.ts";

export const RECEIPT_HEADER = "Weir-Receipt";

/** Before any work: an installation that signs nothing says so rather than leave the receipt out. */
export function assertReceipts({ receiptKeys }: Pick<Deps, "receiptKeys">, { wantsReceipt }: Pick<Call, "wantsReceipt">) {
  if (wantsReceipt !== true || receiptKeys.size > 0) return;
  throw new Failure("unsupported", "This installation has no key to sign receipts with.", { field: RECEIPT_HEADER });
}

/** A signed receipt of a row, where its caller wants one. Signing takes longer than everything else that a small answer costs, so nobody else pays for it. */
export function receiptOf(deps: Pick<Deps, "receiptKeys">, { wantsReceipt, acceptedAtMs }: Call, row: UsageRow): string | undefined {
  if (wantsReceipt !== true) return undefined;
  const { requestId, tenant, model, servedVersion, task, outcome, inputs, inputTokens, outputTokens, computeMs, priceVersion } = row;
  return signReceipt(
    {
      ...{ schema: 1, requestId, tenant, model: `${model}@${servedVersion}`, task, outcome },
      ...{ inputs, inputTokens, outputTokens, computeMs, priceVersion, acceptedAt: new Date(acceptedAtMs).toISOString() },
    },
    deps.receiptKeys,
  );
}

/** On a stream a receipt is a comment, which every reader of server-sent events skips, before the end. */
export function receiptComment(receipt: string | undefined): string {
  return receipt === undefined ? "" : `: weir-receipt ${receipt}\n\n`;
}
