import { DynamoRefusal, type WireItem } from "../../shared/dynamo/lean-client.ts";
import { LEDGER, tableName } from "../../shared/dynamo/tables.ts";
import { bucketEntries } from "../../shared/usage/ledger/bucket-rows.dynamo.ts";
import { expiredValues, identityOf, type PendingRow } from "../../shared/usage/ledger/wire-row.ts";
import type { Bucket } from "../../shared/usage/period.ts";
import { type SealContent, startSeal } from "../../shared/usage/seals/seal-builder.ts";
import type { Identity, SealerDeps } from "./sealer.ts";

const CALL_TIMEOUT_MS = 5_000;
const EXPIRED_AT_ONCE = 16;
/** A bucket is read again after its pendings were expired; one that has new ones each time waits for the next round. */
const READS_MAX = 3;

/** What a bucket amounts to, and the Idempotency-Keys of all its rows. */
export type ClosedBucket = { readonly content: SealContent; readonly identities: readonly Identity[] };

type Source = Pick<SealerDeps, "lean" | "tablePrefix">;

/** Reads a bucket whole, expires what is over, and answers what it amounts to; undefined while something in it is pending. */
export async function closeBucket(source: Source, bucket: Bucket, nowMs: number): Promise<ClosedBucket | undefined> {
  for (let reads = 0; reads < READS_MAX; reads += 1) {
    const seal = startSeal();
    const pending: PendingRow[] = [];
    const identities: Identity[] = [];
    const seen = (items: readonly WireItem[]) => void identities.push(...items.map(identityOf).filter((each) => each !== undefined));
    for await (const entries of bucketEntries(source, bucket, { seen })) {
      for (const entry of entries) {
        if (entry.kind === "billed") seal.add(entry.row);
        else pending.push(entry.row);
      }
    }
    if (pending.length === 0) return { content: seal.finish(), identities };
    const over = pending.filter((row) => row.expiresAtMs <= nowMs);
    for (let start = 0; start < over.length; start += EXPIRED_AT_ONCE) {
      await Promise.all(over.slice(start, start + EXPIRED_AT_ONCE).map((row) => expire(source, row)));
    }
    if (over.length < pending.length) return undefined;
  }
  return undefined;
}

/**
 * Whoever has settled the row since, or covered more of it, is not overruled: what is billed is what it covers. That it was renewed since asks nobody:
 * no request lives so long that this meets it.
 */
async function expire({ lean, tablePrefix }: Source, row: PendingRow): Promise<void> {
  const values = expiredValues(row);
  const names = Object.keys(values);
  const input = {
    TableName: tableName(tablePrefix, LEDGER),
    Key: { pk: { S: row.address.pk }, sk: { S: row.address.sk } },
    UpdateExpression: `SET ${names.map((name) => `#${name} = :${name}`).join(", ")}`,
    ConditionExpression: "#st = :pending AND #e = :epoch AND #pg = :checkpointed",
    ExpressionAttributeNames: Object.fromEntries([...new Set([...names, "st", "e", "pg"])].map((name) => [`#${name}`, name])),
    ExpressionAttributeValues: {
      ...Object.fromEntries(Object.entries(values).map(([name, value]) => [`:${name}`, value])),
      ":pending": { S: "P" },
      ":epoch": { N: `${row.epoch}` },
      ":checkpointed": { N: `${row.checkpointed}` },
    },
  };
  try {
    await lean.call("UpdateItem", input, CALL_TIMEOUT_MS);
  } catch (cause) {
    if (!(cause instanceof DynamoRefusal && cause.isConditionFailed)) throw cause; // the next read shows what became of it
  }
}
