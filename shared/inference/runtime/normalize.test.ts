import fc from "fast-check";
import { expect, test } from "vitest";
import { openTokenizer, pairSteps, partOf } from "./library.ts";
import { lowercaseTraced, normalizeTraced } from "./normalize.ts";
import { traceText } from "./origins.ts";

const BERT = { type: "BertNormalizer", clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true };

test.each([
  ["a mark that is stripped belongs to nobody", [BERT], "e\u0301a", "ea", [0, 1, 2, 3]],
  ["blanks around an ideograph come from it", [BERT], "a大", "a 大 ", [0, 1, 1, 2, 1, 2, 1, 2]],
  ["what is composed comes from the first of its parts", [{ type: "NFC" }], "e\u0301a", "éa", [0, 1, 2, 3]],
  ["a ligature's letters all come from it", [{ type: "NFKC" }], "ﬁx", "fix", [0, 1, 0, 1, 1, 2]],
  ["a syllable of three letters comes from the first", [{ type: "NFC" }], "\u1112\u1161\u11abx", "한x", [0, 1, 3, 4]],
  ["a syllable's letters come from it", [{ type: "NFD" }], "한", "\u1112\u1161\u11ab", [0, 1, 0, 1, 0, 1]],
  ["half-width voicing joins its letter", [{ type: "NFKC" }], "ｶﾞx", "ガx", [0, 1, 2, 3]],
  [
    "a replacement comes from the last of what it replaces",
    [{ type: "Replace", pattern: { String: "``" }, content: '"' }],
    "``x",
    '"x',
    [1, 2, 2, 3],
  ],
  ["what is put before a text comes from its first character", [{ type: "Prepend", prepend: "▁" }], "𠀀", "▁𠀀", [0, 2, 0, 2, 0, 2]],
  ["a stripped text keeps its places", [{ type: "Strip", strip_left: true, strip_right: true }], "  a ", "a", [2, 3]],
  ["a character that grows in lower case does so in place", [{ type: "Lowercase" }], "xİy", "xi\u0307y", [0, 1, 1, 2, 1, 2, 2, 3]],
  ["controls go and blanks become one kind", [{ type: "Precompiled" }], "a\u0001\u3000ﬁ", "a fi", [0, 1, 2, 3, 3, 4, 3, 4]],
])("%s", (_, normalizers, text, becomes, places) => {
  const traced = normalized(normalizers, text);

  expect(traced.text).toBe(becomes);
  expect([...traced.origins.starts].flatMap((start, unit) => [start, traced.origins.ends[unit]])).toEqual(places);
});

const KINDS = [
  [BERT],
  [{ ...BERT, lowercase: false, strip_accents: true }],
  ...["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Precompiled"].map((type) => [{ type }]),
  [{ type: "NFKD" }, { type: "StripAccents" }, { type: "Lowercase" }, { type: "Replace", pattern: { Regex: " {2,}" }, content: " " }],
];

test.each(KINDS.map((kinds) => [kinds.map(({ type }) => type).join(", "), kinds] as const))(
  "%s: the text is the library's, and its places are in order and inside, whatever the text",
  (_, kinds) => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 40 }), (text) => {
        const { tokenizer } = open(kinds);
        const { text: becomes, origins } = normalized(kinds, text);

        expect(becomes).toBe(tokenizer.normalizer?.normalize(text));
        expect(origins.starts.length).toBe(becomes.length);
        origins.starts.forEach((start, unit) => {
          expect(start).toBeGreaterThanOrEqual(origins.starts[unit - 1] ?? 0);
          expect(origins.ends[unit]).toBeGreaterThan(start);
          expect(origins.ends[unit]).toBeLessThanOrEqual(text.length);
        });
      }),
      { numRuns: 200 },
    );
  },
);

test("Python's lower case knows a word's last sigma", () => {
  expect(lowercaseTraced(traceText("ΑΣ", 0)).text).toBe("ας");
});

function normalized(normalizers: readonly object[], text: string) {
  const { json, tokenizer } = open(normalizers);
  const { origins } = traceText(text, 0);
  if (origins === undefined) throw new Error("a traced text knows its places");
  return normalizeTraced(pairSteps(partOf(json, "normalizer"), tokenizer.normalizer), { text, origins });
}

function open(normalizers: readonly object[]) {
  const json = {
    added_tokens: [],
    normalizer: { type: "Sequence", normalizers },
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    model: { type: "WordPiece", unk_token: "[UNK]", continuing_subword_prefix: "##", vocab: { "[UNK]": 0 } },
  };
  return { json, tokenizer: openTokenizer(json, {}) };
}
