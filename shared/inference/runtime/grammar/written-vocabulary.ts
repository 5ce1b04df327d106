import { Failure } from "../../../base/failure.ts";
import { createTokenTables, type TokenTables } from "./token-tables.ts";
import { buildTokenTrie, type TokenBytes, type TokenTrie } from "./token-trie.ts";

/** What a model can write: the bytes of each token, `undefined` where it is special or unused and never allowed. */
export type Vocabulary = { readonly bytesOf: readonly (Uint8Array | undefined)[]; readonly eosIds: readonly number[] };

/** The same, ready to be masked. */
export type WrittenVocabulary = {
  readonly size: number;
  readonly eosIds: readonly number[];
  readonly trie: TokenTrie;
  readonly tables: TokenTables;
  /** A JSON text in bytes that can be written one by one: a character that cannot is escaped. */
  readonly spell: (json: string) => Uint8Array;
};

/**
 * Nothing is begun that the vocabulary may fail to finish: each ASCII character must be a token by itself, or the model is refused with `unsupported`.
 * Where single continuation bytes are missing, tokens that end within a character are left out.
 */
export function readVocabulary({ bytesOf, eosIds }: Vocabulary): WrittenVocabulary {
  const single = new Set(bytesOf.flatMap((bytes) => (bytes?.length === 1 ? [...bytes] : [])));
  if (!hasAll(single, 0x20, 0x7e))
    throw new Failure("unsupported", "The model's vocabulary lacks single characters, so its answers cannot be held to a format");
  const finishesAny = hasAll(single, 0x80, 0xbf);
  const entries: TokenBytes[] = bytesOf.flatMap((bytes, token) => {
    // A token without bytes could be drawn for ever without any progress.
    const isWritten = bytes !== undefined && bytes.length > 0 && !eosIds.includes(token);
    return isWritten && (finishesAny || !endsWithinCharacter(bytes)) ? [{ token, bytes }] : [];
  });
  return {
    // Ends may be added behind the vocabulary itself.
    size: Math.max(bytesOf.length, ...eosIds.map((token) => token + 1)),
    eosIds,
    trie: buildTokenTrie(entries),
    tables: createTokenTables(entries, bytesOf.length),
    spell: (json) => spell(json, single),
  };
}

function hasAll(bytes: ReadonlySet<number>, first: number, last: number): boolean {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index).every((byte) => bytes.has(byte));
}

const LEAD_BYTE_MIN = 0xc0;
const CHARACTER_BYTES_MAX = 4;

function endsWithinCharacter(bytes: Uint8Array): boolean {
  const start = bytes.findLastIndex((byte) => byte >= LEAD_BYTE_MIN);
  if (start === -1 || bytes.length - start >= CHARACTER_BYTES_MAX) return false;
  const lead = bytes[start] ?? 0;
  return bytes.length - start < (lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2);
}

/** All of JSON outside of its strings is ASCII, so what is escaped here lies in a string. */
function spell(json: string, single: ReadonlySet<number>): Uint8Array {
  const bytes = Buffer.from(json);
  if (bytes.every((byte) => single.has(byte))) return bytes;
  const characters = Array.from(json, (character) =>
    Buffer.from(character).every((byte) => single.has(byte))
      ? character
      : Array.from({ length: character.length }, (_, at) => escaped(character, at)).join(""),
  );
  return Buffer.from(characters.join(""));
}

function escaped(character: string, at: number): string {
  return `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`;
}
