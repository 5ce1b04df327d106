import { minutesIn, rangeOf } from "../period.ts";
import type { ShardSchedule } from "../row.ts";
import type { TenantSeal } from "./seal.ts";
import { type Block, type BlockState, type BucketState, blocksOf, type HeadAt, type SealHead, type SealStore } from "./seal-store.ts";

/** What is known of an hour's buckets, by block. */
export type HourState = ReadonlyMap<Block, BlockState>;
/** How many blocks are read at once. */
const BLOCKS_AT_ONCE = 8;

export async function readHour(store: SealStore, hour: string, schedule: ShardSchedule): Promise<HourState> {
  const blocks = blocksOf(hour, minutesOf(hour), schedule);
  const states = new Map<Block, BlockState>();
  for (let start = 0; start < blocks.length; start += BLOCKS_AT_ONCE) {
    const some = blocks.slice(start, start + BLOCKS_AT_ONCE);
    for (const [place, state] of (await Promise.all(some.map(store.readBlock))).entries()) {
      const block = some[place];
      if (block !== undefined) states.set(block, state);
    }
  }
  return states;
}

export type WalkedSeal = HeadAt & { readonly tenants: readonly TenantSeal[] };

/** The seals of an hour that have tenants, by minute and shard: those heads that `pick` takes. */
export async function* walkSeals(
  store: SealStore,
  state: HourState,
  pick: (bucket: BucketState) => SealHead | undefined,
): AsyncGenerator<WalkedSeal> {
  const blocks = [...state].map(([block, known]) => ({ block, heads: headsOf(known, pick) }));
  const [only] = blocks;
  if (only === undefined) return;
  // One group of shards, as almost everybody has, is read from end to end; of several, each minute is read in turn.
  if (blocks.length === 1) return yield* walkBlock(store, only, undefined);
  for (const minute of minutesOf(only.block.hour)) {
    for (const { block, heads } of blocks) {
      yield* walkBlock(store, { block, heads: heads.filter((each) => each.minute === minute) }, minute);
    }
  }
}

async function* walkBlock(store: SealStore, { block, heads }: { block: Block; heads: readonly HeadAt[] }, minute: string | undefined) {
  if (heads.length === 0) return;
  let place = 0;
  for await (const tenants of store.bodies(block, minute, heads)) {
    const head = heads[place];
    if (head === undefined) throw new Error("more bodies than heads");
    place += 1;
    yield { ...head, tenants };
  }
}

function headsOf(state: BlockState, pick: (bucket: BucketState) => SealHead | undefined): HeadAt[] {
  const heads: HeadAt[] = [];
  for (const [minute, shards] of [...state].sort(([a], [b]) => (a < b ? -1 : 1))) {
    for (const [shard, bucket] of [...shards].sort(([a], [b]) => a - b)) {
      const head = pick(bucket);
      if (head !== undefined && head.pages.length > 0) heads.push({ minute, shard, head });
    }
  }
  return heads;
}

export function minutesOf(hour: string): string[] {
  return [...minutesIn(rangeOf({ kind: "hour", name: hour }))];
}
