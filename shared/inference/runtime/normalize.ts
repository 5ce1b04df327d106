import type { NormalizerStep, StepConfig } from "./library.ts";
import { createRewriter, type Origins, sliceTraced, type Traced, traceRoughly } from "./origins.ts";

type Known = { readonly text: string; readonly origins: Origins };
type Step = { readonly config: StepConfig; readonly step: NormalizerStep };
type Form = "NFC" | "NFD" | "NFKC" | "NFKD";

/**
 * Normalises a text as the library does and keeps its places. The rules for places are those of the Rust library (`NormalizedString`): what a
 * character becomes comes from that character, what is put in comes from its neighbour, what is composed comes from the first of its parts.
 */
export function normalizeTraced(steps: readonly Step[], known: Known): Known {
  return steps.reduce(applyStep, known);
}

/** The whole text in lower case, as Python's `str.lower`: a word's last sigma is another letter. */
export function lowercaseTraced(known: Traced): Traced {
  const text = known.text.toLowerCase();
  if (known.origins === undefined) return { text };
  const traced = eachCharacter({ text: known.text, origins: known.origins }, (character) => character.toLowerCase());
  return traced.text.length === text.length ? { text, origins: traced.origins } : traceRoughly(text, traced);
}

function applyStep(known: Known, { config, step }: Step): Known {
  const text = step.normalize(known.text);
  if (text === known.text) return known;
  const traced = follow(config, known, { becomes: text, pattern: step.pattern ?? undefined });
  return traced?.text === text ? traced : traceRoughly(text, known);
}

function follow(
  config: StepConfig,
  known: Known,
  { becomes, pattern }: { becomes: string; pattern: RegExp | undefined },
): Known | undefined {
  switch (config.type) {
    case "BertNormalizer":
      return followBert(config, known);
    case "Lowercase":
      return lowercase(known);
    case "StripAccents":
      return eachCharacter(known, (character) => (/\p{M}/u.test(character) ? "" : character));
    case "NFC":
    case "NFD":
    case "NFKC":
    case "NFKD":
      return recompose(known, config.type);
    case "Precompiled":
      return followPrecompiled(known);
    case "Replace":
      return pattern && replace(known, pattern, String(config["content"] ?? ""));
    case "Prepend":
      return prepend(known, String(config["prepend"]));
    case "Strip":
      return strip(known, becomes);
    default:
      return undefined;
  }
}

/** A character is dropped, kept or replaced, without looking at its neighbours. */
export function eachCharacter(known: Known, becomes: (character: string) => string): Known {
  const rewriter = createRewriter(known.origins);
  let at = 0;
  for (const character of known.text) {
    rewriter.put(becomes(character), at);
    at += character.length;
  }
  return rewriter.done();
}

const lowercase = (known: Known) => eachCharacter(known, (character) => character.toLowerCase());

/** Those beyond U+FFFF were given their spaces before the library sees them (text-repair.ts). */
const CHINESE = /^[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]$/;

function followBert(config: StepConfig, known: Known): Known {
  const { clean_text: cleans, handle_chinese_chars: spaces, lowercase: lowers, strip_accents: strips } = config;
  let text = cleans ? eachCharacter(known, cleaned) : known;
  if (spaces && !isAscii(text)) text = eachCharacter(text, (character) => (CHINESE.test(character) ? ` ${character} ` : character));
  if ((strips ?? lowers) && !isAscii(text))
    text = eachCharacter(recompose(text, "NFD"), (character) => (/\p{Mn}/u.test(character) ? "" : character));
  // After the accents, as in Rust: a capital that becomes a letter with an accent has lost it by now.
  return lowers ? lowercase(text) : text;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are ASCII
const isAscii = ({ text }: Known) => /^[\u0000-\u007f]*$/.test(text);

function cleaned(character: string): string {
  const isControl = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\ufffd]/u.test(character) && !["\t", "\n", "\r"].includes(character);
  return isControl ? "" : /^\s$/.test(character) ? " " : character;
}

/** What may combine with the character before it: marks, the vowels and finals of Hangul, half-width voicing marks. */
const CLUSTERS = /[^\p{M}\u1160-\u11ff\uff9e\uff9f][\p{M}\u1160-\u11ff\uff9e\uff9f]*|[\p{M}\u1160-\u11ff\uff9e\uff9f]+/gu;

/** Normalises cluster by cluster, all but those that begin with `keeps`. */
function recompose(known: Known, form: Form, keeps?: string): Known {
  const rewriter = createRewriter(known.origins);
  for (const { 0: cluster, index } of known.text.matchAll(CLUSTERS)) {
    if (cluster.length === 1 || cluster[0] === keeps) rewriter.put(cluster[0] === keeps ? cluster : cluster.normalize(form), index);
    else for (const { character, source } of sourcesOf(cluster, form)) rewriter.put(character, index + source);
  }
  return rewriter.done();
}

/** A character of a decomposed cluster: the first part of what it was takes its place, the others were put in. */
type DecomposedPart = { readonly character: string; readonly isFirst: boolean };

/**
 * Which character of a cluster each one of its normal form takes the place of. Marks are sorted when they are decomposed, and Rust then gives out
 * the places in order to all that were not put in.
 */
function sourcesOf(cluster: string, form: Form): { character: string; source: number }[] {
  const places = placesOf(cluster);
  const parts: DecomposedPart[] = [...cluster].flatMap((character) =>
    Array.from(decomposed(character, form), (part, index) => ({ character: part, isFirst: index === 0 })),
  );
  let taken = 0;
  return Array.from(cluster.normalize(form), (character) => {
    // What was composed takes the place of its first part, and the places of the others with it.
    const place = taken;
    taken += takeParts(parts, decomposed(character, form));
    return { character, source: places[taken === place ? Math.max(0, place - 1) : place] ?? 0 };
  });
}

/** Takes the parts of a character out of those that are left, and says how many of them had a place. */
function takeParts(left: DecomposedPart[], character: string): number {
  let places = 0;
  for (const part of character) {
    const found = left.findIndex((each) => each.character === part);
    const [taken] = found < 0 ? [] : left.splice(found, 1);
    if (taken?.isFirst) places += 1;
  }
  return places;
}

function placesOf(cluster: string): number[] {
  let at = 0;
  return Array.from(cluster, (character) => {
    at += character.length;
    return at - character.length;
  });
}

function decomposed(character: string, form: Form): string {
  return character < "\u0080" ? character : character.normalize(form.startsWith("NFK") ? "NFKD" : "NFD");
}

/** The library stands in for SentencePiece's table of characters with these rules; see its `Precompiled`. */
function followPrecompiled(known: Known): Known {
  const dropped = eachCharacter(known, (character) => (DROPPED.test(character) ? "" : character));
  const spaced = eachCharacter(dropped, (character) => (SPACED.test(character) ? " " : character));
  return recompose(spaced, "NFKC", "\uff5e");
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it is about
const DROPPED = /[\u0001-\u0008\u000B\u000E-\u001F\u007F\u008F\u009F]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it is about
const SPACED = /[\u0009\u000A\u000C\u000D\u00A0\u1680\u2000-\u200F\u2028\u2029\u202F\u205F\u2581\u3000\uFEFF\uFFFD]/;

/** What replaces a match comes from the match's last character. */
function replace(known: Known, pattern: RegExp, content: string): Known {
  const rewriter = createRewriter(known.origins);
  let at = 0;
  const keepUntil = (end: number) => {
    for (; at < end; at += 1) rewriter.put(known.text.charAt(at), at);
  };
  for (const match of known.text.matchAll(pattern)) {
    keepUntil(match.index);
    at = match.index + match[0].length;
    rewriter.put(content, Math.max(0, at - 1));
  }
  keepUntil(known.text.length);
  return rewriter.done();
}

function prepend(known: Known, prefix: string): Known {
  const rewriter = createRewriter(known.origins);
  rewriter.put(prefix, 0);
  for (let unit = 0; unit < known.text.length; unit += 1) rewriter.put(known.text.charAt(unit), unit);
  return rewriter.done();
}

function strip(known: Known, stripped: string): Known {
  const at = stripped === "" ? 0 : known.text.indexOf(stripped);
  const { text, origins } = sliceTraced(known, at, at + stripped.length);
  return { text, origins: origins ?? known.origins };
}
