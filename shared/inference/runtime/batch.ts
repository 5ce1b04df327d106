/** How large one run may be. */
export type BatchLimits = {
  /** Tokens of a run: of the padded rectangle where inputs share a run, else their sum. */
  readonly tokensMax: number;
  readonly inputsMax: number;
  /** Whether inputs share a run, and so are padded to the longest. */
  readonly isPadded: boolean;
};

/** How many of those who wait are looked at, from the oldest; bounds the sorting. */
const WINDOW_INPUTS = 512;
/** Padding that an input may bring: as cheap as the start of another run, or small beside its own length. */
const PADDING_TOKENS_MAX = 8;
const PADDING_SHARE_MAX = 0.125;

/**
 * Which of the waiting inputs run together: their indexes, the first in turn first. `waiting` is in order of turn, with each input's length in
 * tokens, none above `tokensMax`.
 *
 * The first in turn always goes, so nobody starves and no age has to be watched; whoever is nearest to its length fills the batch, so hardly
 * anything is padded. On CPUs a batch gains little by size and loses by padding: 32 mixed texts as they come are two thirds padding.
 */
export function assembleBatch(waiting: readonly { readonly tokens: number }[], limits: BatchLimits): number[] {
  const [oldest] = waiting;
  if (oldest === undefined) return [];
  const indexes = [...waiting.keys()].slice(1, WINDOW_INPUTS);
  const tokensAt = (index: number) => waiting[index]?.tokens ?? 0;
  // The sort is stable: of equal lengths the older goes first.
  if (limits.isPadded) indexes.sort((a, b) => Math.abs(tokensAt(a) - oldest.tokens) - Math.abs(tokensAt(b) - oldest.tokens));
  let batch: Batch = { count: 1, sum: oldest.tokens, shortest: oldest.tokens, longest: oldest.tokens };
  const chosen = [0];
  for (const index of indexes) {
    const larger = grow(batch, tokensAt(index));
    if (!fits(larger, limits)) break;
    batch = larger;
    chosen.push(index);
  }
  return chosen;
}

type Batch = { readonly count: number; readonly sum: number; readonly shortest: number; readonly longest: number };

function grow({ count, sum, shortest, longest }: Batch, tokens: number): Batch {
  return { count: count + 1, sum: sum + tokens, shortest: Math.min(shortest, tokens), longest: Math.max(longest, tokens) };
}

function fits({ count, sum, shortest, longest }: Batch, { tokensMax, inputsMax, isPadded }: BatchLimits): boolean {
  if (count > inputsMax) return false;
  if (!isPadded) return sum <= tokensMax;
  return longest * count <= tokensMax && longest - shortest <= Math.max(PADDING_TOKENS_MAX, longest * PADDING_SHARE_MAX);
}
