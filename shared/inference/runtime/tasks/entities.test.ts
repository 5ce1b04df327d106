import { describe, expect, test } from "vitest";
import type { Aggregation, Tagged } from "../../contract.ts";
import { createTokenJoin } from "../token-text.ts";
import { entitiesOf, type Head, mergeGroups, mergeTokens, type ReadToken } from "./entities.ts";

const HEAD: Head = {
  labels: ["O", "B-PER", "I-PER"],
  unknownId: 99,
  continuingPrefix: "##",
  join: createTokenJoin({ type: "WordPiece", prefix: "##", cleanup: true }),
};
const TEXT = "ada lovelace";

function tokensOf(...rows: readonly [string, number, number, readonly number[], number?][]): ReadToken[] {
  return rows.map(([spelling, start, end, scores, id = 5], index) => ({
    id,
    index: index + 1,
    spelling,
    start,
    end,
    scores: Float64Array.from(scores),
  }));
}

/** ada: a person's beginning; love: none, barely; ##lace: inside of a person, surely. */
const TOKENS = tokensOf(["ada", 0, 3, [0.1, 0.9, 0]], ["love", 4, 8, [0.5, 0.1, 0.4]], ["##lace", 8, 12, [0.1, 0.1, 0.8]]);

describe("aggregation strategies of transformers", () => {
  const labelled = (aggregation: Aggregation) =>
    entitiesOf(TOKENS, { text: TEXT, aggregation }, HEAD).map(({ label, word, score }) => [label, word, Number(score.toFixed(3))]);

  test("none: each token with its own label", () => {
    expect(labelled("none")).toEqual([
      ["B-PER", "ada", 0.9],
      ["O", "love", 0.5],
      ["I-PER", "##lace", 0.8],
    ]);
  });

  test("simple: neighbours of one tag", () => {
    expect(labelled("simple")).toEqual([
      ["PER", "ada", 0.9],
      ["O", "love", 0.5],
      ["PER", "##lace", 0.8],
    ]);
  });

  test("first: a word is what its first token is", () => {
    expect(labelled("first")).toEqual([
      ["PER", "ada", 0.9],
      ["O", "lovelace", 0.5],
    ]);
  });

  test("max: a word is what its surest token is", () => {
    expect(labelled("max")).toEqual([["PER", "ada lovelace", 0.85]]);
  });

  test("average: a word is what its tokens are in the mean", () => {
    expect(labelled("average")).toEqual([["PER", "ada lovelace", 0.75]]);
  });
});

test("a beginning does not go on with what was before", () => {
  const twice = tokensOf(["ada", 0, 3, [0, 1, 0]], ["ada", 4, 7, [0, 1, 0]]);

  expect(entitiesOf(twice, { text: "ada ada", aggregation: "simple" }, HEAD)).toHaveLength(2);
});

test("an unknown token is a word of its own, under the text's own spelling", () => {
  const tokens = tokensOf(["ada", 0, 3, [0, 1, 0]], ["[UNK]", 3, 5, [1, 0, 0], 99]);

  expect(entitiesOf(tokens, { text: "ada☃!", aggregation: "first" }, HEAD).map(({ word }) => word)).toEqual(["ada", "☃!"]);
});

test("without a prefix a word goes on where there is no space, however the vocabulary writes it", () => {
  const head = { ...HEAD, continuingPrefix: undefined, join: createTokenJoin({ type: "ByteLevel" }) };
  const tokens = tokensOf(["ada", 0, 3, [0, 1, 0]], ["Ġlove", 4, 8, [0, 0, 1]], ["lace", 8, 12, [1, 0, 0]]);

  expect(entitiesOf(tokens, { text: TEXT, aggregation: "first" }, head)).toEqual([
    { label: "PER", word: "ada lovelace", score: 1, start: 0, end: 12 },
  ]);
});

describe("windows that overlap", () => {
  const group = (start: number, end: number, score: number): Tagged => ({ label: "PER", word: "", start, end, score });

  test("leave the longer of two groups, and of equally long ones the better", () => {
    expect(mergeGroups([group(5, 9, 0.5), group(0, 3, 0.9), group(0, 5, 0.1), group(5, 9, 0.6)])).toEqual([
      group(0, 5, 0.1),
      group(5, 9, 0.6),
    ]);
  });

  test("leave of a token that both read the better reading", () => {
    const token = (index: number, score: number): Tagged => ({ ...group(index, index + 1, score), index });

    expect(
      mergeTokens([
        [token(1, 0.5), token(2, 0.5)],
        [token(2, 0.7), token(3, 0.2)],
      ]),
    ).toEqual([token(1, 0.5), token(2, 0.7), token(3, 0.2)]);
  });
});
