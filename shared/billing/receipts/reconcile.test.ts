import { expect, test } from "vitest";
import { systemIds } from "../../base/id.ts";
import type { UsageRow } from "../../usage/row.ts";
import type { Receipt } from "./receipt.ts";
import { isReconciled, reconcile } from "./reconcile.ts";

const AT_MS = Date.parse("2026-11-23T10:00:00.123Z");

function rowOf(more: Partial<UsageRow> = {}): UsageRow {
  return {
    requestId: systemIds.requestId(AT_MS),
    ...{ tenant: "acme", keyId: "k", model: "minilm", version: 1, servedVersion: 2, arm: "stable", tier: "cpu", dialect: "openai" },
    ...{ task: "embed", outcome: "ok", inputs: 1, inputTokens: 7, outputTokens: 0, computeMs: 3, priceVersion: 4, fingerprint: "f" },
    ...more,
  };
}

function receiptOf(row: UsageRow): Receipt {
  const { requestId, tenant, task, outcome, inputs, inputTokens, outputTokens, computeMs, priceVersion } = row;
  const counts = { inputs, inputTokens, outputTokens, computeMs, priceVersion };
  return {
    ...{ schema: 1, requestId, tenant, task, outcome, ...counts },
    ...{ model: `${row.model}@${row.servedVersion}`, acceptedAt: new Date(AT_MS).toISOString() },
  };
}

async function* each(...rows: UsageRow[]) {
  yield* rows;
}

test("receipts whose rows say the same are matched, whatever else the invoice charges for", async () => {
  const [one, other, third] = [rowOf(), rowOf(), rowOf()];

  const reconciled = await reconcile([receiptOf(one), receiptOf(other)], each(third, other, one));

  expect(reconciled).toEqual({ matched: 2, missing: [], different: [], doubled: [], unreceipted: 1 });
  expect(isReconciled(reconciled)).toBe(true);
});

test("a receipt without a row, a row that says more than its receipt, and a row that is there twice are told", async () => {
  const [gone, dearer, twice] = [rowOf(), rowOf(), rowOf()];

  const reconciled = await reconcile(
    [gone, dearer, twice].map(receiptOf),
    each({ ...dearer, inputTokens: 70, servedVersion: 3 }, twice, twice),
  );

  expect(reconciled).toMatchObject({ matched: 1, missing: [gone.requestId], doubled: [twice.requestId] });
  expect(reconciled.different).toEqual([{ requestId: dearer.requestId, fields: ["inputTokens", "model"] }]);
  expect(isReconciled(reconciled)).toBe(false);
});
