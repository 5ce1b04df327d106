import { createAddedTokenSplitter, type Guards, type Section } from "./added-tokens.ts";
import { type AddedToken, type LibraryTokenizer, pairSteps, partOf, type StepConfig, stepConfigsOf } from "./library.ts";
import { eachCharacter, normalizeTraced } from "./normalize.ts";
import type { Traced } from "./origins.ts";
import { createPieceTokens } from "./piece-tokens.ts";
import { createPieceSplitter } from "./pieces.ts";
import { createTextRepair } from "./text-repair.ts";

/** The tokens of one text, without any template. */
export type TextTokens = { readonly ids: number[] };
/** The same with places: UTF-16 units of the text, and the number of the piece that the pre-tokenizer cut (tokenizers, `Encoding.word_ids`). */
export type LocatedTokens = TextTokens & {
  readonly starts: number[];
  readonly ends: number[];
  readonly words: number[];
  /** Blanks that a token begins and ends with, where the tokenizer leaves them out of its span. */
  readonly leads: number[];
  /** Where a token begins behind those. A blank that was put before a text counts as its first character, which may be of two units. */
  readonly insides: number[];
  readonly trails: number[];
};

export type TextTokenizer = {
  readonly tokenise: (text: string, guards: Guards) => TextTokens;
  readonly locate: (text: Traced, guards: Guards) => LocatedTokens;
  /** Whether a first token's leading blank was put there by the tokenizer, so that no blank of the text is to be left out. */
  readonly keepsFirstBlank: boolean;
};

/**
 * Text to tokens with the library's parts, piece by piece. The library's own `encode` gives no places, joins unknown tokens of different words, and
 * knows no text that spells a special token and is none; the ids are otherwise the same.
 */
export function createTextTokenizer(tokenizer: LibraryTokenizer, json: object): TextTokenizer {
  const trim = trimOf(stepConfigsOf(partOf(json, "post_processor")));
  const { sectionsOf, piecesOf, tokensOf } = partsOf(tokenizer, json);
  const read = (text: Traced, guards: Guards, take: Take) => {
    let word = 0;
    sectionsOf(text, guards).forEach((section, index) => {
      if (section.added !== undefined) take.added(section, section.added, word++);
      else for (const piece of piecesOf(section, index === 0)) take.piece(piece, tokensOf(piece.text), word++);
    });
  };
  return {
    keepsFirstBlank: trim?.keepsFirstBlank ?? false,
    tokenise(text, guards) {
      const ids: number[] = [];
      read({ text }, guards, {
        added: (_, { id }) => ids.push(id),
        piece: (_, tokens) => {
          for (const id of tokens.ids) ids.push(id);
        },
      });
      return { ids };
    },
    locate(text, guards) {
      const found: LocatedTokens = { ids: [], starts: [], ends: [], words: [], leads: [], insides: [], trails: [] };
      read(text, guards, {
        added: (section, { id }, word) =>
          push(found, { id, word, traced: section, start: 0, end: section.text.length, isTrimmed: trim !== undefined }),
        piece: (traced, { ids, starts, ends }, word) =>
          ids.forEach((id, index) => {
            push(found, { id, word, traced, start: starts[index] ?? 0, end: ends[index] ?? 0, isTrimmed: trim !== undefined });
          }),
      });
      return found;
    },
  };
}

type Take = {
  readonly added: (section: Section, token: AddedToken, word: number) => void;
  readonly piece: (piece: Traced, tokens: ReturnType<ReturnType<typeof createPieceTokens>>, word: number) => void;
};

function partsOf(tokenizer: LibraryTokenizer, json: object) {
  const added = [...tokenizer.get_added_tokens_decoder().values()];
  const isNormalized = (token: AddedToken) => token.normalized && tokenizer.normalizer !== null;
  const repair = createTextRepair(json);
  const steps = pairSteps(partOf(json, "normalizer"), tokenizer.normalizer);
  const normalize = (section: Traced): Traced => {
    if (section.origins === undefined) return { text: tokenizer.normalizer?.normalize(repair(section.text)) ?? repair(section.text) };
    const repaired = repair(section.text);
    const known = { text: section.text, origins: section.origins };
    return normalizeTraced(steps, repaired === section.text ? known : eachCharacter(known, repair));
  };
  const splitRaw = createAddedTokenSplitter(
    added.filter((token) => !isNormalized(token)).map((token) => ({ content: token.content, token })),
  );
  const splitNormalized = createAddedTokenSplitter(
    added.filter(isNormalized).map((token) => ({ content: tokenizer.normalizer?.normalize(token.content) ?? token.content, token })),
  );
  const idsOfAdded = new Map(added.map(({ content, id }) => [content, id]));
  return {
    /** Guards are places of the text as it is written; the few tokens that are looked for after normalising are not special. */
    sectionsOf: (text: Traced, guards: Guards): Section[] =>
      splitRaw(text, guards).flatMap((section) =>
        section.added === undefined ? splitNormalized(normalize(section), { isText: guards.isText, places: [] }) : [section],
      ),
    piecesOf: createPieceSplitter(pairSteps(partOf(json, "pre_tokenizer"), tokenizer.pre_tokenizer)),
    tokensOf: createPieceTokens(tokenizer.model, (token) => idsOfAdded.get(token)),
  };
}

type Place = {
  readonly id: number;
  readonly word: number;
  readonly traced: Traced;
  readonly start: number;
  readonly end: number;
  readonly isTrimmed: boolean;
};

function push(found: LocatedTokens, { id, word, traced: { text, origins }, start, end, isTrimmed }: Place) {
  const last = Math.max(start, end - 1);
  found.ids.push(id);
  found.words.push(word);
  const [from = 0, behind = 0, to = 0] = [origins?.starts[start], origins?.ends[start], origins?.ends[last]];
  const leads = isTrimmed ? blanks(text, start, end) : 0;
  found.starts.push(from);
  found.ends.push(to);
  found.leads.push(leads);
  found.insides.push(leads === 0 ? from : Math.min(behind + leads - 1, to));
  found.trails.push(isTrimmed ? blanks(text, end - 1, start - 1) : 0);
}

/** How many blanks follow each other from one unit on, forwards or backwards; `Ġ` is how the byte alphabet writes a space. */
function blanks(text: string, from: number, until: number): number {
  const step = from <= until ? 1 : -1;
  let at = from;
  while (at !== until && /[Ġ\p{White_Space}]/u.test(text.charAt(at))) at += step;
  return Math.abs(at - from);
}

/** `trim_offsets` of the post-processors that know it; both default to true. */
function trimOf(steps: readonly StepConfig[]): { keepsFirstBlank: boolean } | undefined {
  const trimming = steps.find(({ type, trim_offsets: trims }) => (type === "ByteLevel" || type === "RobertaProcessing") && trims !== false);
  return trimming && { keepsFirstBlank: trimming["add_prefix_space"] !== false };
}
