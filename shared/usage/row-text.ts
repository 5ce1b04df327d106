import { ROW_SCHEMA, type UsageRow } from "./row.ts";

/**
 * A row as digests read it: one line of JSON, whose order and form never change. Whoever has the rows of a seal in key order (tenant, request id)
 * makes its digest again as the SHA-256 of these lines.
 */
export function rowText(row: UsageRow): string {
  const fields = [
    ROW_SCHEMA,
    row.requestId,
    row.tenant,
    row.keyId,
    row.model,
    row.version,
    row.servedVersion,
    row.arm,
    row.tier,
    row.dialect,
    row.task,
    row.outcome,
    row.inputs,
    row.inputTokens,
    row.outputTokens,
    row.computeMs,
    row.priceVersion,
    row.fingerprint,
    row.lease ?? null,
  ];
  return `${JSON.stringify(fields)}\n`;
}
