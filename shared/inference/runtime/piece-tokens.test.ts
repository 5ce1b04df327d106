import { describe, expect, test } from "vitest";
import { openTokenizer } from "./library.ts";
import { createPieceTokens } from "./piece-tokens.ts";

const BPE = { type: "BPE", unk_token: null, fuse_unk: false, byte_fallback: false, merges: [["a", "b"]] };

function tokensOf(model: object) {
  const parts = { added_tokens: [], normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null };
  return createPieceTokens(openTokenizer({ ...parts, model }, {}).model, () => undefined);
}

describe("byte pairs", () => {
  test("a character's bytes all stand for it", () => {
    const tokens = tokensOf({ ...BPE, byte_fallback: true, vocab: { a: 0, "<0xC3>": 1, "<0xA9>": 2 } });

    expect(tokens("aéa")).toEqual({ ids: [0, 1, 2, 0], starts: [0, 1, 1, 2], ends: [1, 2, 2, 3] });
  });

  test("what is unknown becomes one token, where the model says so", () => {
    const tokens = tokensOf({ ...BPE, unk_token: "?", fuse_unk: true, vocab: { a: 0, "?": 1 } });

    expect(tokens("axya")).toEqual({ ids: [0, 1, 0], starts: [0, 1, 3], ends: [1, 3, 4] });
  });

  test("what is unknown to a vocabulary without a token for it is left out, and counted by nobody", () => {
    expect(tokensOf({ ...BPE, vocab: { a: 0, b: 1, ab: 2 } })("axab")).toEqual({ ids: [0, 2], starts: [0, 1], ends: [1, 3] });
  });

  test("a word's end mark stands for nothing", () => {
    const tokens = tokensOf({ ...BPE, end_of_word_suffix: "</w>", vocab: { a: 0, "b</w>": 1 }, merges: [] });

    expect(tokens("ab")).toEqual({ ids: [0, 1], starts: [0, 1], ends: [1, 2] });
  });
});

test("a word that is too long for word pieces is unknown as a whole", () => {
  const model = {
    type: "WordPiece",
    unk_token: "?",
    continuing_subword_prefix: "##",
    max_input_chars_per_word: 3,
    vocab: { "?": 0, a: 1, "##b": 2 },
  };

  expect(tokensOf(model)("abb")).toEqual({ ids: [1, 2, 2], starts: [0, 1, 2], ends: [1, 2, 3] });
  expect(tokensOf(model)("abbb")).toEqual({ ids: [0], starts: [0], ends: [4] });
});

test("a piece without end is read in parts, none of which cuts a character", () => {
  const { ids, ends } = tokensOf({ ...BPE, unk_token: "?", vocab: { "?": 0 }, merges: [] })(`x${"𠀀".repeat(50_000)}`);

  expect(ids.length).toBe(50_001);
  expect(ends.at(-1)).toBe(100_001);
});
