import type { Span } from "../../shared/inference/contract.ts";

/**
 * Places in a text as most languages count them, in Unicode characters; within, we count as JavaScript does, in UTF-16 units.
 * Built once for a text: where nothing lies outside of the basic plane, both are the same.
 */
export function createCharacterCounter(text: string): <S extends Span>(span: S) => S {
  if (!/[\ud800-\udbff]/.test(text)) return (span) => span;
  const before = new Uint32Array(text.length + 1);
  let characters = 0;
  for (let unit = 0; unit < text.length; unit += 1) {
    before[unit] = characters;
    if (!isSecondHalf(text.charCodeAt(unit + 1))) characters += 1;
  }
  before[text.length] = characters;
  const at = (unit: number) => before[Math.min(unit, text.length)] ?? characters;
  return (span) => ({ ...span, start: at(span.start), end: at(span.end) });
}

function isSecondHalf(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}
