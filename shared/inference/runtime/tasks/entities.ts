import type { Aggregation, Span, Tagged } from "../../contract.ts";
import type { JoinTokens } from "../token-text.ts";
import { indexOfLargest } from "./numbers.ts";

/** A token of a text with its probability for every label. */
export type ReadToken = Span & { readonly id: number; readonly index: number; readonly spelling: string; readonly scores: Float64Array };

/** What naming entities needs to know of a model. */
export type Head = {
  readonly labels: readonly string[];
  readonly unknownId: number | undefined;
  /** What the vocabulary's tokens inside of a word begin with, if it tells. */
  readonly continuingPrefix: string | undefined;
  readonly join: JoinTokens;
};

type How = { readonly text: string; readonly aggregation: Aggregation };
type Word = Span & { readonly word: string };
type Piece = Word & { readonly scores: Float64Array; readonly index: number; readonly isInsideWord: boolean };
/** A token or word with one label. */
type Entity = Word & { readonly entity: string; readonly score: number };

/** Tokens (`none`), or what they are grouped into (transformers 5.18, `TokenClassificationPipeline.aggregate`). Nothing is left out yet. */
export function entitiesOf(tokens: readonly ReadToken[], { text, aggregation }: How, head: Head): Tagged[] {
  const pieces = tokens.map((token) => pieceOf(token, text, head));
  if (aggregation === "none") return pieces.map((piece) => taggedAs(entityOf(piece, head.labels), piece.index));
  const entities =
    aggregation === "simple" ? pieces.map((piece) => entityOf(piece, head.labels)) : entitiesOfWords(pieces, aggregation, head);
  return groupsOf(entities).map((group) => groupOf(group, head.join));
}

/** Of tokens that several windows read, the better scored; in the text's order. */
export function mergeTokens(windows: readonly (readonly Tagged[])[]): Tagged[] {
  const best = new Map<number | undefined, Tagged>();
  for (const token of windows.flat()) {
    const other = best.get(token.index);
    if (other === undefined || token.score > other.score) best.set(token.index, token);
  }
  return [...best.values()];
}

/** Of groups that overlap, the longer, and of equally long ones the better scored (`aggregate_overlapping_entities`). */
export function mergeGroups(groups: readonly Tagged[]): Tagged[] {
  const merged: Tagged[] = [];
  for (const group of groups.toSorted((a, b) => a.start - b.start)) {
    const last = merged.at(-1);
    if (last === undefined || group.start >= last.end) merged.push(group);
    else if (isBetter(group, last)) merged[merged.length - 1] = group;
  }
  return merged;
}

function isBetter(one: Tagged, other: Tagged): boolean {
  const [length, otherLength] = [one.end - one.start, other.end - other.start];
  return length > otherLength || (length === otherLength && one.score > other.score);
}

/**
 * `gather_pre_entities`: whether a token goes on inside a word. Vocabularies with a prefix tell by the spelling's length (in characters, as Python
 * counts); of others it is guessed by the space before the token, so that punctuation counts as part of the word. An unknown token is a word.
 */
function pieceOf(token: ReadToken, text: string, { unknownId, continuingPrefix }: Head): Piece {
  const { id, index, start, end, scores, spelling } = token;
  const reference = text.slice(start, end);
  if (id === unknownId) return { word: reference, start, end, index, scores, isInsideWord: false };
  const isInsideWord =
    continuingPrefix === undefined
      ? start > 0 && !text.slice(start - 1, start + 1).includes(" ")
      : charactersIn(spelling) !== charactersIn(reference);
  return { word: spelling, start, end, index, scores, isInsideWord };
}

const charactersIn = (text: string) => Array.from(text).length;

function entityOf({ word, start, end, scores }: Pick<Piece, keyof Word | "scores">, labels: readonly string[]): Entity {
  const label = indexOfLargest(scores);
  return { entity: labels[label] ?? "", score: scores[label] ?? 0, word, start, end };
}

/** `aggregate_words`: the pieces of a word agree on one label. */
function entitiesOfWords(pieces: readonly Piece[], aggregation: "first" | "average" | "max", { join, labels }: Head): Entity[] {
  const words: [Piece, ...Piece[]][] = [];
  for (const piece of pieces) {
    const word = words.at(-1);
    if (word !== undefined && piece.isInsideWord) word.push(piece);
    else words.push([piece]);
  }
  return words.map((word) => {
    const scores = scoresOfWord(word, aggregation);
    const spelled = join(word.map((piece) => piece.word));
    return entityOf({ word: spelled, scores, start: word[0].start, end: (word.at(-1) ?? word[0]).end }, labels);
  });
}

function scoresOfWord(word: readonly [Piece, ...Piece[]], aggregation: "first" | "average" | "max"): Float64Array {
  const [first] = word;
  switch (aggregation) {
    case "first":
      return first.scores;
    case "max":
      return word.reduce((best, piece) => (largest(piece) > largest(best) ? piece : best)).scores;
    case "average":
      return first.scores.map((_, label) => word.reduce((sum, { scores }) => sum + (scores[label] ?? 0), 0) / word.length);
  }
}

const largest = ({ scores }: Piece) => scores[indexOfLargest(scores)] ?? 0;

/** `group_entities`: neighbours with one tag belong together, unless the second begins an entity (`B-`). */
function groupsOf(entities: readonly Entity[]): [Entity, ...Entity[]][] {
  const groups: [Entity, ...Entity[]][] = [];
  for (const entity of entities) {
    const group = groups.at(-1);
    const last = group?.at(-1);
    const isContinued = last !== undefined && tagOf(entity.entity) === tagOf(last.entity) && !entity.entity.startsWith("B-");
    if (group !== undefined && isContinued) group.push(entity);
    else groups.push([entity]);
  }
  return groups;
}

const tagOf = (label: string) => (/^[BI]-/.test(label) ? label.slice(2) : label);

/** `group_sub_entities`: it names the group by what follows the first `-`, whatever stands before it. */
function groupOf(group: readonly [Entity, ...Entity[]], join: JoinTokens): Tagged {
  const [first] = group;
  return {
    label: first.entity.slice(first.entity.indexOf("-") + 1),
    score: group.reduce((sum, { score }) => sum + score, 0) / group.length,
    word: join(group.map(({ word }) => word)),
    start: first.start,
    end: (group.at(-1) ?? first).end,
  };
}

const taggedAs = ({ entity: label, score, word, start, end }: Entity, index: number): Tagged => ({ label, score, word, start, end, index });
