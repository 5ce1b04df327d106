/** What of a JSON text takes a parser its time, which its bytes do not tell. */
export type JsonWeight = {
  /** Arrays, objects and texts, names among them. */
  readonly parts: number;
  /** At most so many values: the commas and the parts that may hold one. */
  readonly values: number;
  /** Whether 16 digits or more stand together outside texts and fractions: an integer that a number may not hold. */
  readonly hasLongInteger: boolean;
};

const [QUOTE, BACKSLASH, COMMA, DOT, ZERO, NINE] = [0x22, 0x5c, 0x2c, 0x2e, 0x30, 0x39];
const [OPEN_ARRAY, OPEN_OBJECT] = [0x5b, 0x7b];
const LONG_DIGITS = 16;

/** Goes over a text once; what is no JSON gets some weight, too. */
export function weighJson(bytes: Uint8Array): JsonWeight {
  let [containers, texts, commas, digits] = [0, 0, 0, 0];
  let [isInText, isFraction, hasLongInteger] = [false, false, false];
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    if (isInText) {
      if (byte === BACKSLASH) at += 1;
      else if (byte === QUOTE) isInText = false;
      continue;
    }
    if (byte >= ZERO && byte <= NINE) {
      digits += 1;
      if (digits === LONG_DIGITS && !isFraction) hasLongInteger = true;
      continue;
    }
    [digits, isFraction] = [0, byte === DOT];
    if (byte === QUOTE) [texts, isInText] = [texts + 1, true];
    else if (byte === COMMA) commas += 1;
    else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) containers += 1;
  }
  return { parts: containers + texts, values: commas + containers + 1, hasLongInteger };
}
