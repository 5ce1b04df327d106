import type { PreTokenizerStep, StepConfig } from "./library.ts";
import { createRewriter, type Origins, sliceTraced, type Traced, traceRoughly } from "./origins.ts";
import { mergeRanges, rangesOf } from "./split-ranges.ts";

type Step = { readonly config: StepConfig; readonly step: PreTokenizerStep };

/** Cuts a normalised text into the pieces that a model turns into tokens one by one. `isFirst` says that nothing precedes it. */
export type PieceSplitter = (text: Traced, isFirst: boolean) => Traced[];

export function createPieceSplitter(steps: readonly Step[]): PieceSplitter {
  const cuts = steps.map(cutOf);
  return (text, isFirst) => {
    let pieces: Traced[] = [text];
    for (const cut of cuts) pieces = pieces.flatMap((piece) => cut(piece, isFirst));
    return pieces.filter((piece) => piece.text !== "");
  };
}

type Cut = (piece: Traced, isFirst: boolean) => Traced[];

/**
 * Most steps cut a text at what a pattern finds; the library's own would lose the places, and they disagree with Rust about what is a letter, a digit
 * or blank and about what becomes of the cuts. The others change the text, and the library does that.
 */
function cutOf({ config, step }: Step): Cut {
  switch (config.type) {
    case "BertPreTokenizer":
      return cutBy(/[^\p{White_Space}\p{P}!-/:-@[-`{-~]+|[\p{P}!-/:-@[-`{-~]/gu, { behavior: "Removed", invert: true });
    case "Whitespace":
      return cutBy(
        /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+/gu,
        {
          behavior: "Removed",
          invert: true,
        },
      );
    case "WhitespaceSplit":
      return cutBy(/\p{White_Space}/gu, { behavior: "Removed" });
    case "Punctuation":
      return cutBy(/[\p{P}!-/:-@[-`{-~]/gu, config);
    case "Digits":
      return cutBy(/\p{N}/gu, { behavior: config["individual_digits"] === true ? "Isolated" : "Contiguous" });
    case "Split":
      return step.pattern ? cutBy(step.pattern, config) : (piece) => [piece];
    case "Metaspace":
      return (piece, isFirst) => {
        const marked = markSpaces(textsOf(step, piece, isFirst)[0] ?? "", piece);
        return config["split"] === false ? [marked] : cutAtMarks(marked, step.replacement ?? "\u2581");
      };
    case "ByteLevel":
      return (piece, isFirst) => placeBytes(textsOf(step, piece, isFirst), piece, step.add_prefix_space ?? false);
    default:
      return (piece, isFirst) => placeInOrder(textsOf(step, piece, isFirst), piece);
  }
}

function textsOf(step: PreTokenizerStep, { text }: Traced, isFirst: boolean): string[] {
  return step.pre_tokenize_text(text, { section_index: isFirst ? 0 : 1 });
}

function cutBy(pattern: RegExp, config: StepConfig): Cut {
  return (piece) => {
    const ranges = mergeRanges(rangesOf(piece.text, pattern, config["invert"] === true), config["behavior"] ?? "Isolated");
    return ranges.map(({ start, end }) => sliceTraced(piece, start, end));
  };
}

/** Each cut is a part of the text, after the one before it; unless the step has changed the text. */
function placeInOrder(texts: readonly string[], { text, origins }: Traced): Traced[] {
  let at = 0;
  return texts.map((each) => {
    if (origins === undefined) return { text: each };
    const found = text.indexOf(each, at);
    if (found < 0) return traceRoughly(each, { text, origins });
    at = found + each.length;
    return sliceTraced({ text, origins }, found, at);
  });
}

/** Every byte of a character comes from the character; a space that is put before the text comes from its first one. */
function placeBytes(texts: readonly string[], { text, origins }: Traced, addsSpace: boolean): Traced[] {
  if (origins === undefined) return texts.map((each) => ({ text: each }));
  const rewriter = createRewriter(origins);
  if (addsSpace && !text.startsWith(" ")) rewriter.put(" ", 0);
  let at = 0;
  for (const character of text) {
    rewriter.put(" ".repeat(bytesOf(character)), at);
    at += character.length;
  }
  const bytes = rewriter.done();
  let done = 0;
  return texts.map((each) => {
    done += each.length;
    return { text: each, origins: sliceTraced(bytes, done - each.length, done).origins ?? origins };
  });
}

function bytesOf(character: string): number {
  const code = character.codePointAt(0) ?? 0;
  return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

function markSpaces(marked: string, { text, origins }: Traced): Traced {
  if (origins === undefined) return { text: marked };
  return { text: marked, origins: marked.length > text.length ? withFirstTwice(origins) : origins };
}

/** The library leaves it in one piece; Rust cuts before each mark, unless it is told not to. */
function cutAtMarks(whole: Traced, mark: string): Traced[] {
  const pieces: Traced[] = [];
  for (let start = 0; start < whole.text.length; ) {
    const found = whole.text.indexOf(mark, start + mark.length);
    const end = found < 0 ? whole.text.length : found;
    pieces.push(sliceTraced(whole, start, end));
    start = end;
  }
  return pieces;
}

function withFirstTwice({ starts, ends }: Origins): Origins {
  return { starts: Int32Array.from([starts[0] ?? 0, ...starts]), ends: Int32Array.from([ends[0] ?? 0, ...ends]) };
}
