import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Tokenizer } from "@huggingface/tokenizers";
import { describe, expect, test } from "vitest";
import { readVocabulary } from "./vocabulary.ts";

const GPT2 = JSON.parse(
  readFileSync(fileURLToPath(new URL("../../../test/fixtures/models/tiny-gpt2/tokenizer.json", import.meta.url)), "utf8"),
);

const LLAMA = {
  model: {
    type: "BPE",
    byte_fallback: true,
    vocab: { "<unk>": 0, "<s>": 1, "<0x0A>": 2, "<0xE2>": 3, "▁": 4, "▁Hi": 5, é: 6, "<0xZZ>": 7 },
  },
  decoder: {
    type: "Sequence",
    decoders: [{ type: "Replace" }, { type: "ByteFallback" }, { type: "Fuse" }, { type: "Strip", content: " ", start: 1, stop: 0 }],
  },
  added_tokens: [
    { id: 1, content: "<s>", special: true },
    { id: 9, content: "<tool>", special: false },
  ],
};

describe("byte-level", () => {
  const vocabulary = readVocabulary(GPT2);

  test("every token's bytes are what the tokenizer decodes", () => {
    const tokenizer = new Tokenizer(GPT2, {});
    expect(vocabulary.size).toBe(1_000);

    for (let token = 1; token < vocabulary.size; token += 1) {
      const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(vocabulary.bytesOf(token));
      expect(text).toBe(tokenizer.decode([token], { skip_special_tokens: false, clean_up_tokenization_spaces: false }));
    }
  });

  test("all 256 bytes have a token", () => {
    const single = Array.from({ length: vocabulary.size }, (_, token) => vocabulary.bytesOf(token)).filter(({ length }) => length === 1);

    expect(new Set(single.map(([byte]) => byte)).size).toBe(256);
  });

  test("a token with a character outside of the alphabet stands for itself", () => {
    const added = readVocabulary({ ...GPT2, added_tokens: [{ id: 1000, content: "<a b>", special: false }] });

    expect(textOf(added.bytesOf(1000))).toBe("<a b>");
  });

  test("the end of a text is special, words are not", () => {
    expect(vocabulary.isSpecial(0)).toBe(true);
    expect(vocabulary.isSpecial(1)).toBe(false);
    expect(vocabulary.stripsFirstSpace).toBe(false);
  });
});

describe("SentencePiece", () => {
  const vocabulary = readVocabulary(LLAMA);

  test.each([
    [5, " Hi"],
    [4, " "],
    [6, "é"],
    [2, "\n"],
    [7, "<0xZZ>"],
    [9, "<tool>"],
    [8, ""],
    [10_000, ""],
  ])("token %i is %o", (token, text) => {
    expect(textOf(vocabulary.bytesOf(token))).toBe(text);
  });

  test("a byte token is its byte", () => {
    expect([...vocabulary.bytesOf(3)]).toEqual([0xe2]);
  });

  test("its first space is the tokenizer's own", () => {
    expect(vocabulary.stripsFirstSpace).toBe(true);
    expect(vocabulary.size).toBe(10);
    expect(vocabulary.isSpecial(9)).toBe(false);
  });

  test("Unigram lists its pieces in the order of ids, and Metaspace decides about the first space", () => {
    const model = {
      type: "Unigram",
      vocab: [
        ["<pad>", 0],
        ["▁a", -1.5],
        ["<0x0A>", -2],
      ],
    };

    const always = readVocabulary({ model, decoder: { type: "Metaspace", prepend_scheme: "always" } });
    const never = readVocabulary({ model, decoder: { type: "Metaspace", prepend_scheme: "never" } });

    expect(textOf(always.bytesOf(1))).toBe(" a");
    expect(textOf(always.bytesOf(2))).toBe("<0x0A>");
    expect([always.stripsFirstSpace, never.stripsFirstSpace]).toEqual([true, false]);
  });
});

test.each([
  [{}, /tokenizer.json/],
  [{ model: { vocab: { a: -1 } }, decoder: { type: "ByteLevel" } }, /gives "a" the id -1/],
  [{ model: { vocab: { a: 1e9 } }, decoder: { type: "ByteLevel" } }, /id 1000000000/],
  [{ model: { vocab: { a: 1 } }, decoder: { type: "WordPiece" } }, /byte-level and SentencePiece/],
])("%o is refused", (tokenizer, reason) => {
  expect(() => readVocabulary(tokenizer)).toThrow(
    expect.objectContaining({ code: "invalid_request", message: expect.stringMatching(reason) }),
  );
});

const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
