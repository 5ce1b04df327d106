import type { Bucket } from "../period.ts";
import { type ShardSchedule, shardCountAt } from "../row.ts";
import type { Seal, TenantSeal } from "./seal.ts";

/** Shards whose seals of a minute lie in one item: it costs one write to close them all when they are empty, and about one when they are not. */
export const GROUP_SHARDS = 16;

/** The buckets of one hour and one group of shards: 960 at most. */
export type Block = { readonly hour: string; readonly group: number };

/** A seal without its tenants, which lie in pages that are found by their hashes. */
export type SealHead = Pick<Seal, "revision" | "rowCount" | "digest" | "sealedAtMs"> & { readonly pages: readonly string[] };

/** What is known of a bucket: the head that counts, the one before it, and when it was read again. */
export type BucketState = {
  readonly head: SealHead;
  readonly superseded: SealHead | undefined;
  readonly auditedAtMs: number | undefined;
};

/** By minute and shard; a bucket that is not sealed is absent. */
export type BlockState = ReadonlyMap<string, ReadonlyMap<number, BucketState>>;

/** One bucket's next step: its first seal, its re-audit, or both at once when it is sealed late. */
export type Closing = Bucket & {
  /** Absent where the re-audit found what was there. */
  readonly seal?: Pick<Seal, "revision" | "rowCount" | "digest" | "sealedAtMs" | "tenants">;
  readonly auditedAtMs?: number;
};

export type SealStore = {
  readonly readBlock: (block: Block) => Promise<BlockState>;
  /**
   * Closes buckets of one minute and group: their pages first, their heads last and each only if absent. What another has closed meanwhile
   * stays as it is, whatever this one read.
   */
  readonly close: (closings: readonly Closing[]) => Promise<void>;
  /** Deletes the pages that only superseded heads name. Those heads stay, with their counts and digests. For buckets that were read again, whose heads nobody changes any more. */
  readonly dropSuperseded: (block: Block, state: BlockState) => Promise<void>;
  /** The tenants of those seals whose heads `headOf` gives, by minute and shard; a page that is missing or is not what its name says throws. */
  readonly bodies: (block: Block, minute: string | undefined, heads: readonly HeadAt[]) => AsyncIterable<readonly TenantSeal[]>;
};

/** Heads by minute and shard, all of them with pages. */
export type HeadAt = Bucket & { readonly head: SealHead };

export function groupOf(shard: number): number {
  return Math.floor(shard / GROUP_SHARDS);
}

/** The groups that an hour's minutes have, by the shard schedule. */
export function blocksOf(hour: string, minutes: readonly string[], schedule: ShardSchedule): Block[] {
  const shardCountMax = Math.max(...minutes.map((minute) => shardCountAt(schedule, minute)));
  return Array.from({ length: groupOf(shardCountMax - 1) + 1 }, (_, group) => ({ hour, group }));
}

/** The shards of a minute that lie in a group. */
export function shardsOf(group: number, minute: string, schedule: ShardSchedule): number[] {
  const [from, to] = [group * GROUP_SHARDS, Math.min((group + 1) * GROUP_SHARDS, shardCountAt(schedule, minute))];
  return Array.from({ length: Math.max(0, to - from) }, (_, place) => from + place);
}
