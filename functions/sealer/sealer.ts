import type { LeanDynamo } from "../../shared/dynamo/lean-client.ts";
import type { Log } from "../../shared/log/log.ts";
import { HOUR_MS, MINUTE_MS } from "../../shared/usage/period.ts";
import { IDENTITY_KEPT_MS, type IdempotencyStore } from "../../shared/usage/retries/idempotency.ts";
import type { ShardSchedule } from "../../shared/usage/row.ts";
import type { SealStore } from "../../shared/usage/seals/seal-store.ts";
import type { SealingStore } from "../../shared/usage/seals/sealing-store.ts";
import type { TotalStore } from "../../shared/usage/totals/total-store.ts";

/** What is remembered of Idempotency-Keys, as far as it is to be forgotten; an item that answers for another request by then stays. */
export type Identities = Pick<IdempotencyStore, "dropAnswer" | "remove">;
export type Identity = Parameters<Identities["remove"]>[0];

/** What rounds work with; time comes with each round. */
export type SealerDeps = {
  readonly lean: LeanDynamo;
  readonly tablePrefix: string;
  readonly schedule: ShardSchedule;
  readonly seals: SealStore;
  readonly sealing: SealingStore;
  readonly totals: TotalStore;
  readonly identities: Identities;
  /** When the first tenant was made, since nothing can have been metered before; undefined while there is none. */
  readonly firstTenantAtMs: () => Promise<number | undefined>;
  readonly log: Log;
};

/** A minute is closed no earlier than this after its end: longer than rows are repeated, and void markers unless the store is away. */
export const SEAL_AFTER_MS = 15 * MINUTE_MS;
/** Every bucket is read again this long after its hour's end. */
export const AUDIT_AFTER_MS = 24 * HOUR_MS;

/** Idempotency-Keys are forgotten this long after their hour's end; their answers when the hour is read again. */
export const FORGET_AFTER_MS = IDENTITY_KEPT_MS;

/** What a round may still do, so that rounds end: buckets are what costs. */
export type Budget = { bucketsLeft: number; readonly signal: AbortSignal };

export function isSpent({ bucketsLeft, signal }: Budget): boolean {
  return bucketsLeft <= 0 || signal.aborted;
}
