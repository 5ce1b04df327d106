import * as z from "zod";
import { bucketOf } from "../base/hash.ts";
import { acceptedAtMsOf } from "../base/id.ts";

export const ROW_SCHEMA = 1;

/**
 * How a metered request ended for its caller: answered, ended by its caller, or cut by us in the middle. Refusals leave no row.
 * What was delivered is billed in each case, and the README's table says so.
 */
export const Outcome = z.enum(["ok", "cancelled", "cut"]);
export type Outcome = z.infer<typeof Outcome>;

export const Tier = z.enum(["edge", "cpu", "gpu", "upstream"]);
export type Tier = z.infer<typeof Tier>;

export const Dialect = z.enum(["openai", "hf", "oip"]);
export type Dialect = z.infer<typeof Dialect>;

/** One metered request, as the domain sees it. Integers only: money is rated from rows, never stored in them. */
export type UsageRow = {
  /** UUIDv7 of the moment the request was accepted; minute and shard follow from it and never change. */
  readonly requestId: string;
  readonly tenant: string;
  readonly keyId: string;
  readonly model: string;
  /** The version that the split assigned, and the one that answered. */
  readonly version: number;
  readonly servedVersion: number;
  readonly arm: string;
  readonly tier: Tier;
  readonly dialect: Dialect;
  readonly task: string;
  readonly outcome: Outcome;
  readonly inputs: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly computeMs: number;
  readonly priceVersion: number;
  /** SHA-256 of tenant, path and body: a retry of the same request has the same one. */
  readonly fingerprint: string;
  /** The lease on a prepaid balance that this request draws from; absent for those that are paid afterwards. */
  readonly lease?: string;
  /** The item of the request's Idempotency-Key, if it has one: whoever reads the row later finds there what to forget. */
  readonly idempotency?: string;
};

/** From which minute on the ledger has how many shards per minute; changed only ahead of time, further than any cache lives. */
export const ShardSchedule = z.array(z.object({ fromMinute: z.string(), shardCount: z.int().min(1).max(16_384) })).min(1);
export type ShardSchedule = readonly { readonly fromMinute: string; readonly shardCount: number }[];

/** The address of a request's row, from its id alone: every write and every retry of it meets here. */
export function ledgerAddress(row: { requestId: string; tenant: string }, schedule: ShardSchedule): { pk: string; sk: string } {
  const minute = minuteOf(acceptedAtMsOf(row.requestId));
  const shardCount = shardCountAt(schedule, minute);
  const shard = shardCount === 1 ? 0 : bucketOf(row.requestId, shardCount);
  return { pk: bucketKey(minute, shard), sk: `${row.tenant}#${row.requestId}` };
}

/** The UTC minute in the form `2026-11-23T19:25`, which sorts as time does. */
export function minuteOf(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 16);
}

export function bucketKey(minute: string, shard: number): string {
  return `m#${minute}#${shard}`;
}

export function shardCountAt(schedule: ShardSchedule, minute: string): number {
  const entry = schedule.findLast((each) => each.fromMinute <= minute);
  if (entry === undefined) throw new Error(`the shard schedule says nothing about ${minute}`);
  return entry.shardCount;
}
