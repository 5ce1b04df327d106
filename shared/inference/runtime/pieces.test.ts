import { describe, expect, test } from "vitest";
import { openTokenizer, pairSteps, partOf } from "./library.ts";
import { traceText } from "./origins.ts";
import { createPieceSplitter } from "./pieces.ts";

function split(step: object, text: string) {
  const json = {
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: step,
    post_processor: null,
    decoder: null,
    model: { type: "BPE", vocab: {}, merges: [] },
  };
  const splitter = createPieceSplitter(pairSteps(partOf(json, "pre_tokenizer"), openTokenizer(json, {}).pre_tokenizer));
  const [plain, traced] = [splitter({ text }, true), splitter(traceText(text, 0), true)];
  expect(plain.map((piece) => piece.text)).toEqual(traced.map((piece) => piece.text));
  return traced.map((piece) => [piece.text, piece.origins?.starts[0], piece.origins?.ends.at(-1)]);
}

const on = (behavior: string) => ({ type: "Split", pattern: { String: "-" }, behavior, invert: false });

// What tokenizers 0.23 does; checked with 1,200 odd texts for each of these steps and for sequences of them.
describe.each([
  [
    { type: "BertPreTokenizer" },
    "a\u0085b\ufeff!?",
    [
      ["a", 0, 1],
      ["b\ufeff", 2, 4],
      ["!", 4, 5],
      ["?", 5, 6],
    ],
  ],
  [
    { type: "Whitespace" },
    "né «x»",
    [
      ["né", 0, 2],
      ["«", 3, 4],
      ["x", 4, 5],
      ["»", 5, 6],
    ],
  ],
  [
    { type: "WhitespaceSplit" },
    "a\u3000b",
    [
      ["a", 0, 1],
      ["b", 2, 3],
    ],
  ],
  [
    { type: "Punctuation", behavior: "Isolated" },
    "a!?",
    [
      ["a", 0, 1],
      ["!", 1, 2],
      ["?", 2, 3],
    ],
  ],
  [
    { type: "Digits", individual_digits: true },
    "a1２½",
    [
      ["a", 0, 1],
      ["1", 1, 2],
      ["２", 2, 3],
      ["½", 3, 4],
    ],
  ],
  [
    { type: "Digits", individual_digits: false },
    "a1２½",
    [
      ["a", 0, 1],
      ["1２½", 1, 4],
    ],
  ],
  [
    on("Removed"),
    "-a--b",
    [
      ["a", 1, 2],
      ["b", 4, 5],
    ],
  ],
  [
    on("Isolated"),
    "a--b",
    [
      ["a", 0, 1],
      ["-", 1, 2],
      ["-", 2, 3],
      ["b", 3, 4],
    ],
  ],
  [
    on("Contiguous"),
    "a--b",
    [
      ["a", 0, 1],
      ["--", 1, 3],
      ["b", 3, 4],
    ],
  ],
  [
    on("MergedWithPrevious"),
    "a--b",
    [
      ["a-", 0, 2],
      ["-", 2, 3],
      ["b", 3, 4],
    ],
  ],
  [
    on("MergedWithNext"),
    "a--b",
    [
      ["a", 0, 1],
      ["-", 1, 2],
      ["-b", 2, 4],
    ],
  ],
  [
    { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true },
    "a b",
    [
      ["▁a", 0, 1],
      ["▁b", 1, 3],
    ],
  ],
  [{ type: "Metaspace", replacement: "▁", prepend_scheme: "never", split: false }, "a b", [["a▁b", 0, 3]]],
  [
    { type: "ByteLevel", add_prefix_space: true, use_regex: true },
    "é x",
    [
      ["ĠÃ©", 0, 1],
      ["Ġx", 1, 3],
    ],
  ],
])("%j", (step, text, pieces) => {
  test(`cuts ${JSON.stringify(text)}`, () => {
    expect(split(step, text)).toEqual(pieces);
  });
});
