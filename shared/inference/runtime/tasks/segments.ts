import type { Span } from "../../contract.ts";
import { checkCount, SEGMENTED_CHARS_MAX } from "./limits.ts";

export type Segment = Span & { readonly text: string };

/** One locale for every machine: what a text is split into must not depend on where it is. Unicode's rules hold for all languages under it. */
const LOCALE = "en";
const SENTENCES = new Intl.Segmenter(LOCALE, { granularity: "sentence" });
const WORDS = new Intl.Segmenter(LOCALE, { granularity: "word" });

/** Sentences (Unicode, UAX 29) without the spaces around them. */
export function sentencesIn(text: string): Segment[] {
  return Array.from(SENTENCES.segment(text), ({ segment, index }) => {
    const start = index + segment.length - segment.trimStart().length;
    const trimmed = segment.trim();
    return { text: trimmed, start, end: start + trimmed.length };
  }).filter(({ text: sentence }) => sentence !== "");
}

/** What is between spaces and punctuation (Unicode, UAX 29); Chinese and Japanese are split by ICU's dictionaries. */
export function wordsIn(text: string): string[] {
  return Array.from(WORDS.segment(text)).flatMap(({ segment, isWordLike }) => (isWordLike === true ? [segment] : []));
}

export function checkSegmentable(texts: readonly string[]): void {
  texts.forEach((text, index) => {
    checkCount(text.length, SEGMENTED_CHARS_MAX, { field: `texts.${index}`, what: "characters in one text" });
  });
}
