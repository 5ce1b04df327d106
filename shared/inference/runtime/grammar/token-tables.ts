import { beginsCharacter, CLOSED, INVALID, NEXT_BY_SPELLING, type Spelling } from "./characters.ts";
import { buildTokenTrie, type TokenBytes, type TokenTrie } from "./token-trie.ts";

/**
 * Within a string nearly every token is allowed, whatever the string is of. So for each state of characters.ts it is found out once per vocabulary what
 * each token does: it stays in the string, taking some characters of its length, or it closes the string, which few do and what then depends on the place.
 */
export type TokenTable = {
  /** Tokens that stay in a string with room for this many characters. The words of the mask. */
  readonly staying: (room: number) => Uint32Array;
  readonly closing: TokenTrie;
};

export type TokenTables = (spelling: Spelling, state: number) => TokenTable;

export function createTokenTables(entries: readonly TokenBytes[], vocabularySize: number): TokenTables {
  const tables = new Map<string, TokenTable>();
  return (spelling, state) => {
    const key = `${spelling}:${state}`;
    const table = tables.get(key) ?? buildTable(entries, vocabularySize, { next: NEXT_BY_SPELLING[spelling], state });
    tables.set(key, table);
    return table;
  };
}

type Start = { readonly next: Uint8Array; readonly state: number };

function buildTable(entries: readonly TokenBytes[], vocabularySize: number, start: Start): TokenTable {
  const lengths = new Map<number, number>();
  const closing: TokenBytes[] = [];
  for (const entry of entries) {
    const length = follow(entry.bytes, start);
    if (length === "closes") closing.push(entry);
    else if (length !== "breaks") lengths.set(entry.token, length);
  }
  const tokens = Int32Array.from(lengths.keys());
  const taken = Int32Array.from(lengths.values());
  const lengthMax = taken.reduce((max, length) => Math.max(max, length), 0);
  const all = maskOf(tokens, taken, { room: lengthMax, vocabularySize });
  return {
    staying: (room) => (room >= lengthMax ? all : maskOf(tokens, taken, { room, vocabularySize })),
    closing: buildTokenTrie(closing),
  };
}

/** How many characters the bytes begin in the string. */
function follow(bytes: Uint8Array, { next, state: start }: Start): number | "closes" | "breaks" {
  let state = start;
  let length = 0;
  for (const byte of bytes) {
    if (beginsCharacter(state)) length += 1;
    state = next[state * 256 + byte] ?? INVALID;
    if (state === INVALID) return "breaks";
    if (state === CLOSED) return "closes";
  }
  return length;
}

function maskOf(tokens: Int32Array, taken: Int32Array, { room, vocabularySize }: { room: number; vocabularySize: number }): Uint32Array {
  const mask = new Uint32Array(Math.ceil(vocabularySize / 32));
  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index] ?? 0;
    if ((taken[index] ?? 0) <= room) mask[token >>> 5] = (mask[token >>> 5] ?? 0) | (1 << (token & 31));
  }
  return mask;
}
