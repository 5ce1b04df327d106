/**
 * What may stand between the quotes of a JSON string, byte by byte: whole UTF-8 characters (RFC 3629, the table of section 4), the escapes of RFC 8259,
 * and no half of a surrogate pair, so that every string can be read again. Characters are counted as JSON Schema does, by code point, each at its first byte.
 */
export const BETWEEN = 0;
export const INVALID = 255;
/** The quote that ends the string. */
export const CLOSED = 254;

/** Names of properties that are not declared are written without escapes, or one could spell a declared name in another way. */
export type Spelling = "text" | "name";

const STATE_NAMES = [
  "between",
  "one-more",
  "two-more",
  "three-more",
  "after-e0",
  "after-ed",
  "after-f0",
  "after-f4",
  "escape",
  "hex-4",
  "hex-3",
  "hex-2",
  "hex-1",
  "hex-3-after-d",
  "high-2",
  "high-1",
  "high-done",
  "low-escape",
  "low-4",
  "low-3",
] as const;
type StateName = (typeof STATE_NAMES)[number];

export const STATE_COUNT = STATE_NAMES.length;
const BYTES = 256;

/** The next state by state × 256 + byte. */
export const NEXT_BY_SPELLING: Readonly<Record<Spelling, Uint8Array>> = { text: tableOf("text"), name: tableOf("name") };

/** Whether the byte that follows this state begins a character. */
export function beginsCharacter(state: number): boolean {
  return state === BETWEEN;
}

function tableOf(spelling: Spelling): Uint8Array {
  const table = new Uint8Array(STATE_COUNT * BYTES).fill(INVALID);
  const set = (from: StateName, [first, last]: readonly [number, number], to: StateName) => {
    table.fill(STATE_NAMES.indexOf(to), STATE_NAMES.indexOf(from) * BYTES + first, STATE_NAMES.indexOf(from) * BYTES + last + 1);
  };
  setCharacters(set);
  if (spelling === "text") setEscapes(set);
  table[BETWEEN * BYTES + codeOf("\\")] = spelling === "text" ? STATE_NAMES.indexOf("escape") : INVALID;
  table[BETWEEN * BYTES + codeOf('"')] = CLOSED;
  return table;
}

type SetRange = (from: StateName, range: readonly [number, number], to: StateName) => void;

function setCharacters(set: SetRange): void {
  set("between", [0x20, 0x7f], "between");
  set("between", [0xc2, 0xdf], "one-more");
  set("between", [0xe1, 0xef], "two-more");
  set("between", [0xe0, 0xe0], "after-e0");
  set("between", [0xed, 0xed], "after-ed");
  set("between", [0xf1, 0xf3], "three-more");
  set("between", [0xf0, 0xf0], "after-f0");
  set("between", [0xf4, 0xf4], "after-f4");
  set("one-more", [0x80, 0xbf], "between");
  set("two-more", [0x80, 0xbf], "one-more");
  set("three-more", [0x80, 0xbf], "two-more");
  set("after-e0", [0xa0, 0xbf], "one-more");
  set("after-ed", [0x80, 0x9f], "one-more");
  set("after-f0", [0x90, 0xbf], "two-more");
  set("after-f4", [0x80, 0x8f], "two-more");
}

function setEscapes(set: SetRange): void {
  const each = (from: StateName, characters: string, to: StateName) => {
    for (const character of characters) set(from, [codeOf(character), codeOf(character)], to);
  };
  each("escape", '"\\/bfnrt', "between");
  each("escape", "u", "hex-4");
  each("hex-4", "0123456789abcefABCEF", "hex-3");
  each("hex-4", "dD", "hex-3-after-d");
  each("hex-3", "0123456789abcdefABCDEF", "hex-2");
  each("hex-2", "0123456789abcdefABCDEF", "hex-1");
  each("hex-1", "0123456789abcdefABCDEF", "between");
  each("hex-3-after-d", "01234567", "hex-2");
  each("hex-3-after-d", "89abAB", "high-2");
  each("high-2", "0123456789abcdefABCDEF", "high-1");
  each("high-1", "0123456789abcdefABCDEF", "high-done");
  each("high-done", "\\", "low-escape");
  each("low-escape", "u", "low-4");
  each("low-4", "dD", "low-3");
  each("low-3", "cdefCDEF", "hex-2");
}

function codeOf(character: string): number {
  return character.charCodeAt(0);
}
