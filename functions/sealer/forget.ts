import { runBounded } from "../../shared/models/run-bounded.ts";
import { bucketItems } from "../../shared/usage/ledger/bucket-rows.dynamo.ts";
import { identityOf } from "../../shared/usage/ledger/wire-row.ts";
import type { Bucket } from "../../shared/usage/period.ts";
import { shardCountAt } from "../../shared/usage/row.ts";
import { minutesOf } from "../../shared/usage/seals/seal-walk.ts";
import type { Budget, Identity, SealerDeps } from "./sealer.ts";

const IDENTITIES_AT_ONCE = 16;
const BUCKETS_AT_ONCE = 16;

/** The answers of Idempotency-Keys in a minute that was read a day later are kept no longer, and its hour is remembered for their keys. */
export async function dropAnswers(deps: SealerDeps, minute: string, identities: readonly Identity[]): Promise<void> {
  if (identities.length === 0) return;
  await deps.sealing.addToAgenda("forget", minute.slice(0, 13));
  await runBounded(identities, IDENTITIES_AT_ONCE, deps.identities.dropAnswer);
}

/** Removes what is remembered of an hour's Idempotency-Keys; false if it was told to stop before the end, and the next round begins anew. */
export async function forgetHour(deps: SealerDeps, hour: string, budget: Budget): Promise<boolean> {
  for (const minute of minutesOf(hour)) {
    if (budget.signal.aborted) return false;
    const buckets = Array.from({ length: shardCountAt(deps.schedule, minute) }, (_, shard) => ({ minute, shard }));
    budget.bucketsLeft -= buckets.length;
    await runBounded(buckets, BUCKETS_AT_ONCE, async (bucket) => {
      for await (const identities of identitiesIn(deps, bucket)) await runBounded(identities, IDENTITIES_AT_ONCE, deps.identities.remove);
    });
  }
  return true;
}

async function* identitiesIn(deps: SealerDeps, bucket: Bucket): AsyncGenerator<readonly Identity[]> {
  for await (const items of bucketItems(deps, bucket)) yield items.map(identityOf).filter((identity) => identity !== undefined);
}
