import { beginAnswer, isWhole, step } from "./automaton.ts";
import { createFrameIds, type Frame, type FrameIds } from "./frame.ts";
import type { Position } from "./shape.ts";
import type { TokenTrie } from "./token-trie.ts";
import type { WrittenVocabulary } from "./written-vocabulary.ts";

/** One answer in progress. */
export type Matcher = {
  /**
   * Which tokens may come next, the end of the sequence included: bit t % 32 of word t >>> 5. Valid until the next `accept`. It is as long as the
   * vocabulary: logits beyond it are of no token, and not allowed.
   */
  readonly allowed: () => Uint32Array;
  /** Moves on by a token; for one that was not allowed it fails with an Error, for then somebody ignored the mask. */
  readonly accept: (token: number) => void;
  /** Whether the answer may end here: an end-of-sequence token may come. */
  readonly isComplete: () => boolean;
  /** Whether nothing but the end may come: a generation can stop without asking the model. */
  readonly mustEnd: () => boolean;
  readonly dispose: () => void;
};

/** Ways to read one answer side by side. Beyond it some are given up: each can be finished by itself, so what is left is valid, only less is allowed. */
const WAYS_MAX = 64;

export function createMatcher(root: Position, vocabulary: WrittenVocabulary, bytesOf: readonly (Uint8Array | undefined)[]): Matcher {
  let ways: readonly Way[] = ["start"];
  let known: Next | undefined;
  const idOf = createFrameIds();
  const move: Step = (way, byte, into) => (way === "start" ? beginAnswer(root, byte, into) : step(way, byte, into));
  const isComplete = () => ways.some((way) => way !== "start" && isWhole(way));

  const next = () => {
    known ??= nextOf(ways, vocabulary, { move, isComplete: isComplete() });
    return known;
  };

  const end = (): readonly Way[] => {
    if (!isComplete()) throw new Error("a masked generation ends only where its grammar allows it");
    return [];
  };
  const waysAfter = (token: number): readonly Way[] => {
    const after = ways.flatMap((way) => follow(way, bytesOf[token] ?? new Uint8Array(), move));
    if (after.length === 0) throw new Error(`a masked generation draws only allowed tokens, not ${token}`);
    return distinct(after, idOf);
  };

  return {
    isComplete,
    // No text goes on from a whole answer to nothing: with none allowed, it has come to its end.
    mustEnd: () => isComplete() && !next().hasText,
    allowed: () => next().mask,
    accept(token) {
      ways = vocabulary.eosIds.includes(token) ? end() : waysAfter(token);
      known = undefined;
    },
    dispose() {
      ways = [];
      known = undefined;
    },
  };
}

/** Before the first byte there is nothing to stand in. */
type Way = Frame | "start";
type Step = (way: Way, byte: number, into: Frame[]) => void;

/** `hasText`: whether a token other than an end is allowed. */
type Next = { readonly mask: Uint32Array; readonly hasText: boolean };

function nextOf(ways: readonly Way[], vocabulary: WrittenVocabulary, { move, isComplete }: { move: Step; isComplete: boolean }): Next {
  const mask = new Uint32Array(Math.ceil(vocabulary.size / 32));
  for (const way of ways) allowFrom(way, vocabulary, { mask, move });
  const hasText = mask.some((word) => word !== 0);
  if (isComplete) for (const token of vocabulary.eosIds) allow(mask, token);
  return { mask, hasText };
}

/** Each way is followed by itself, here as in `accept`: so both come to the same end even where `WAYS_MAX` cuts. */
function allowFrom(way: Way, { trie, tables }: WrittenVocabulary, { mask, move }: { mask: Uint32Array; move: Step }): void {
  if (way !== "start" && way.kind === "string") {
    const table = tables("text", way.state);
    unite(mask, table.staying(way.shape.lengthMax - way.length));
    sweep(way, table.closing, { mask, move });
    return;
  }
  if (way !== "start" && way.kind === "object" && way.name?.other !== undefined) {
    const { declared, other } = way.name;
    const table = tables("name", other.state);
    unite(mask, table.staying(way.shape.nameLengthMax - other.length));
    sweep(way, table.closing, { mask, move });
    if (declared !== undefined) sweep({ ...way, name: { declared, other: undefined } }, trie, { mask, move });
    return;
  }
  sweep(way, trie, { mask, move });
}

/** Allows the tokens of the trie that lead somewhere, leaving out all that begin with bytes that do not. */
function sweep(way: Way, trie: TokenTrie, { mask, move }: { mask: Uint32Array; move: Step }): void {
  const reached: (readonly Way[])[] = [[way]];
  let node = 0;
  while (node < trie.size) {
    const depth = trie.depth[node] ?? 0;
    const next = advance(reached[depth - 1] ?? [], trie.byte[node] ?? 0, move);
    if (next.length === 0) {
      node = trie.skip[node] ?? trie.size;
      continue;
    }
    reached[depth] = next;
    const end = trie.first[node + 1] ?? 0;
    for (let index = trie.first[node] ?? 0; index < end; index++) allow(mask, trie.tokens[index] ?? 0);
    node += 1;
  }
}

function follow(way: Way, bytes: Uint8Array, move: Step): readonly Way[] {
  let ways: readonly Way[] = bytes.length === 0 ? [] : [way];
  for (const byte of bytes) ways = advance(ways, byte, move);
  return ways;
}

function advance(ways: readonly Way[], byte: number, move: Step): readonly Way[] {
  const next: Frame[] = [];
  for (const way of ways) {
    move(way, byte, next);
    if (next.length >= WAYS_MAX) return next.slice(0, WAYS_MAX);
  }
  return next;
}

function distinct(ways: readonly Way[], idOf: FrameIds): readonly Way[] {
  if (ways.length < 2) return ways;
  const byKey = new Map(ways.map((way) => [way === "start" ? way : idOf(way), way]));
  return [...byKey.values()].slice(0, WAYS_MAX);
}

function unite(mask: Uint32Array, more: Uint32Array): void {
  for (let word = 0; word < more.length; word++) mask[word] = (mask[word] ?? 0) | (more[word] ?? 0);
}

function allow(mask: Uint32Array, token: number): void {
  mask[token >>> 5] = (mask[token >>> 5] ?? 0) | (1 << (token & 31));
}
