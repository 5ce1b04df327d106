import type { Clock } from "../../shared/base/clock.ts";
import { systemIds } from "../../shared/base/id.ts";
import type { Reservation } from "../../shared/usage/ledger/ledger.ts";
import type { UsageRow } from "../../shared/usage/row.ts";

/** What a stream reserves that begins now; each of a tenant of its own. */
export function newReservation(clock: Clock): Reservation {
  return {
    requestId: systemIds.requestId(clock.nowMs()),
    tenant: `tenant-${systemIds.base62(8)}`,
    ...{ keyId: "k", model: "gpt", version: 1, arm: "stable", dialect: "openai", task: "generate", inputs: 1 },
    ...{ priceVersion: 0, fingerprint: "f", epoch: 1, expiresInMs: 60_000 },
  };
}

/** What it settles with. */
export function settledRow({ epoch: _, expiresInMs: __, ...known }: Reservation): UsageRow {
  return { ...known, servedVersion: 1, tier: "cpu", outcome: "ok", inputTokens: 7, outputTokens: 90, computeMs: 12 };
}
