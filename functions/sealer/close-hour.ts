import { Failure } from "../../shared/base/failure.ts";
import { MINUTE_MS, rangeOf, startOf } from "../../shared/usage/period.ts";
import type { SealContent } from "../../shared/usage/seals/seal-builder.ts";
import { type Block, type BlockState, type BucketState, type Closing, shardsOf } from "../../shared/usage/seals/seal-store.ts";
import { minutesOf, readHour } from "../../shared/usage/seals/seal-walk.ts";
import { type ClosedBucket, closeBucket } from "./close-bucket.ts";
import { dropAnswers } from "./forget.ts";
import { AUDIT_AFTER_MS, type Budget, type Identity, isSpent, SEAL_AFTER_MS, type SealerDeps } from "./sealer.ts";

/** Minutes of a block that are worked on at once, each with up to 16 shards. */
const MINUTES_AT_ONCE = 4;

/** What is to be done with one bucket, by what is known of it: undefined is nothing. */
type Step = (known: BucketState | undefined, found: SealContent) => Pick<Closing, "seal" | "auditedAtMs">;
type Job = { readonly nowMs: number; readonly isDue: (minute: string, known: BucketState | undefined) => boolean; readonly step: Step };

/** Seals what can be sealed of an hour's buckets for the first time. */
export function sealHour(deps: SealerDeps, hour: string, run: { nowMs: number; budget: Budget }): Promise<void> {
  const { nowMs } = run;
  return workOnHour(deps, hour, run.budget, {
    nowMs,
    isDue: (minute, known) => known === undefined && endOf(minute) + SEAL_AFTER_MS <= nowMs,
    step: (_, found) => ({
      seal: { ...found, revision: 1, sealedAtMs: nowMs },
      // Read for the first time a day later, it has been read a day later.
      ...(isAuditDue(hour, nowMs) ? { auditedAtMs: nowMs } : {}),
    }),
  });
}

/** Reads an hour's sealed buckets again; those that have changed get another revision. */
export function auditHour(deps: SealerDeps, hour: string, run: { nowMs: number; budget: Budget }): Promise<void> {
  const { nowMs } = run;
  return workOnHour(deps, hour, run.budget, {
    nowMs,
    isDue: (_, known) => known !== undefined && known.auditedAtMs === undefined && isAuditDue(hour, nowMs),
    step: (known, found) => ({
      auditedAtMs: nowMs,
      ...(known === undefined || known.head.digest === found.digest
        ? {}
        : { seal: { ...found, revision: known.head.revision + 1, sealedAtMs: nowMs } }),
    }),
  });
}

export function isAuditDue(hour: string, nowMs: number): boolean {
  return rangeOf({ kind: "hour", name: hour }).toMs + AUDIT_AFTER_MS <= nowMs;
}

async function workOnHour(deps: SealerDeps, hour: string, budget: Budget, job: Job): Promise<void> {
  const minutes = minutesOf(hour);
  for (const [block, state] of await readHour(deps.seals, hour, deps.schedule)) {
    const due = minutes
      .map((minute) => ({ minute, shards: dueShards(deps, { block, state, minute }, job) }))
      .filter(({ shards }) => shards.length > 0);
    for (let start = 0; start < due.length && !isSpent(budget); start += MINUTES_AT_ONCE) {
      const some = due.slice(start, start + MINUTES_AT_ONCE);
      for (const { shards } of some) budget.bucketsLeft -= shards.length;
      await Promise.all(some.map(({ minute, shards }) => workOnMinute(deps, { state, minute, shards }, job)));
    }
  }
}

function dueShards(deps: SealerDeps, { block, state, minute }: { block: Block; state: BlockState; minute: string }, job: Job): number[] {
  return shardsOf(block.group, minute, deps.schedule).filter((shard) => job.isDue(minute, state.get(minute)?.get(shard)));
}

type Minute = { readonly state: BlockState; readonly minute: string; readonly shards: readonly number[] };

async function workOnMinute(deps: SealerDeps, { state, minute, shards }: Minute, job: Job): Promise<void> {
  const found = await Promise.all(shards.map((shard) => readBucket(deps, { minute, shard }, job.nowMs)));
  const closings: Closing[] = [];
  const identities: Identity[] = [];
  for (const [place, shard] of shards.entries()) {
    const closed = found[place];
    if (closed === undefined) continue;
    const closing: Closing = { minute, shard, ...job.step(state.get(minute)?.get(shard), closed.content) };
    if (closing.auditedAtMs !== undefined) identities.push(...closed.identities);
    closings.push(closing);
  }
  // Before the heads say that the minute was read again, or a kill would leave answers that nobody looks for.
  await dropAnswers(deps, minute, identities);
  await deps.seals.close(closings);
}

/** A bucket that cannot be read stays open, which everybody sees, and does not hold up the others. */
async function readBucket(deps: SealerDeps, bucket: { minute: string; shard: number }, nowMs: number): Promise<ClosedBucket | undefined> {
  try {
    return await closeBucket(deps, bucket, nowMs);
  } catch (error) {
    if (error instanceof Failure) throw error; // the store is away, for all of them
    deps.log("error", "a bucket of the ledger cannot be sealed", { ...bucket, error });
    return undefined;
  }
}

function endOf(minute: string): number {
  return startOf(minute) + MINUTE_MS;
}
