import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type ModelFiles, readModelFiles } from "./model-files.ts";
import { createEncoder } from "./tokenize.ts";

const MODELS = fileURLToPath(new URL("../../../test/fixtures/models/", import.meta.url));
const NAMES = readdirSync(MODELS).filter((name) => readdirSync(`${MODELS}${name}`).includes("expected.json"));

type Case = { readonly text: string; readonly text_pair?: string; readonly input_ids: readonly number[] };

/** The cases that hold ids; those of some tasks hold other things only, and a decoder's text is its prompt. */
function casesOf(name: string): Case[] {
  const { cases }: { cases: (Partial<Case> & { prompt?: string })[] } = JSON.parse(readFileSync(`${MODELS}${name}/expected.json`, "utf8"));
  return cases.flatMap(({ input_ids, prompt, text = prompt, ...rest }) =>
    input_ids === undefined || text === undefined ? [] : [{ text, input_ids, ...rest }],
  );
}

describe.each(NAMES)("%s", (name) => {
  test("token ids are those of the Rust tokenizer, for ordinary and odd texts, pairs and over-long input", async () => {
    const encoder = createEncoder(await readModelFiles(`${MODELS}${name}`));

    for (const { text, text_pair: textPair, input_ids } of casesOf(name)) {
      const encoded = encoder.encode({ kind: "text", text, ...(textPair !== undefined && { textPair }) }, "cut");
      expect([...encoded.ids], JSON.stringify(text)).toEqual(input_ids);
    }
  });

  test("no text makes it answer with more tokens than the model reads, or with an id outside its vocabulary", async () => {
    const files = await readModelFiles(`${MODELS}${name}`);
    const encoder = createEncoder(files);
    const text = fc.oneof(fc.string({ unit: "binary", maxLength: 80 }), fc.string({ unit: "grapheme", maxLength: 80 }));

    fc.assert(
      fc.property(text, fc.option(text, { nil: undefined }), (text, textPair) => {
        const { ids, typeIds } = encoder.encode({ kind: "text", text, ...(textPair !== undefined && { textPair }) }, "cut");
        expect(ids.length).toBeLessThanOrEqual(files.settings.tokensMax);
        expect(typeIds.length).toBe(ids.length);
        expect(Math.max(...ids)).toBeLessThan(files.settings.vocabSize ?? 0);
        expect(Math.max(...typeIds)).toBeLessThan(files.settings.typeCount);
      }),
      { numRuns: 50 },
    );
  });
});

describe("a BERT", () => {
  test("an empty second text is still a pair, as in transformers", async () => {
    const encoder = createEncoder(await readModelFiles(`${MODELS}tiny-bert-sentiment`));

    expect([...encoder.encode({ kind: "text", text: "a", textPair: "" }, "cut").ids]).toEqual([2, 42, 3, 3]);
  });

  test("the second text has type 1 and the first has type 0", async () => {
    const encoder = createEncoder(await readModelFiles(`${MODELS}tiny-bert-sentiment`));

    expect([...encoder.encode({ kind: "text", text: "a", textPair: "a" }, "cut").typeIds]).toEqual([0, 0, 0, 1, 1]);
  });

  test("what is too long is refused where it may not be cut", async () => {
    const encoder = createEncoder(await readModelFiles(`${MODELS}tiny-bert-sentiment`));
    const long = { kind: "text", text: "word ".repeat(100) } as const;
    const ids = { kind: "tokens", tokenIds: Array(65).fill(5) } as const;

    expect(() => encoder.encode(long, "refuse")).toThrow(/202 tokens, and the model reads at most 64/);
    expect(() => encoder.encode(ids, "refuse")).toThrow(/65 tokens/);
    expect(encoder.encode(ids, "cut").ids.length).toBe(64);
  });

  test("token ids are taken as they are, and refused outside of the vocabulary", async () => {
    const encoder = createEncoder(await readModelFiles(`${MODELS}tiny-bert-sentiment`));

    expect([...encoder.encode({ kind: "tokens", tokenIds: [7, 8] }, "refuse").ids]).toEqual([7, 8]);
    expect(() => encoder.encode({ kind: "tokens", tokenIds: [1200] }, "refuse")).toThrow(/1200 is not in the model's vocabulary of 1200/);
  });

  test("Greek capitals, rare ideographs and a very long text go the way of the Rust tokenizer", async () => {
    const encoder = createEncoder(await withVocabulary("tiny-bert-sentiment", { "##σ": 1198, 𠀀: 1199 }));

    expect([...encoder.encode({ kind: "text", text: "𠀀𠀀" }, "cut").ids]).toEqual([2, 1199, 1199, 3]);
    expect([...encoder.encode({ kind: "text", text: "aΣ" }, "cut").ids]).toEqual([2, 42, 1198, 3]);
    expect(encoder.encode({ kind: "text", text: "ab".repeat(130_000) }, "cut").ids.length).toBe(3);
  });
});

describe("special tokens that a text spells", () => {
  const TEXT = { kind: "text", text: "a [SEP]" } as const;

  test("are the tokens, unless the tokenizer's settings or the caller say that they are text", async () => {
    const files = await readModelFiles(`${MODELS}tiny-bert-sentiment`);
    const splitting = { ...files, settings: { ...files.settings, splitsSpecialTokens: true } };
    const idsOf = (encoder: ReturnType<typeof createEncoder>, specialText?: "token" | "text") => [
      ...encoder.encode(TEXT, { overlong: "cut", ...(specialText && { specialText }) }).ids,
    ];

    const asToken = [2, 42, 3, 3];
    expect(idsOf(createEncoder(files))).toEqual(asToken);
    expect(idsOf(createEncoder(splitting), "token")).toEqual(asToken);
    expect(idsOf(createEncoder(splitting))).toEqual(idsOf(createEncoder(files), "text"));
    expect(idsOf(createEncoder(splitting)).filter((id) => id === 3)).toEqual([3]);
  });

  test("get no template around them where the text is framed already", async () => {
    const encoder = createEncoder(await readModelFiles(`${MODELS}tiny-bert-sentiment`));

    const framed = encoder.encode({ kind: "text", text: "[CLS] a [SEP]", textPair: "a" }, { overlong: "refuse", isFramed: true });
    expect([...framed.ids]).toEqual([2, 42, 3, 42]);
  });
});

describe("spans of a byte-level tokenizer that leaves blanks out", () => {
  const spansOf = async (text: string, processor: object) => {
    const files = await readModelFiles(`${MODELS}tiny-roberta-nli`);
    const json = JSON.parse(readFileSync(`${MODELS}tiny-roberta-nli/tokenizer.json`, "utf8"));
    const [mask] = json.added_tokens.filter(({ content }: { content: string }) => content === "<mask>");
    Object.assign(mask, { lstrip: true });
    Object.assign(json.post_processor, processor);
    const [located] = createEncoder({ ...files, tokenizer: json }).locate({ kind: "text", text }, { overlong: "cut" });
    return [...(located?.spans ?? [])].slice(2, -2);
  };

  test("do so for the blank that a mask takes, too", async () => {
    expect(await spansOf("a <mask>", {})).toEqual([0, 1, 2, 8]);
  });

  test("keep a single blank at the beginning, where the tokenizer may have put it there", async () => {
    expect(await spansOf(" a", { add_prefix_space: false })).toEqual([1, 2]);
    expect(await spansOf(" a", { add_prefix_space: true })).toEqual([0, 2]);
  });
});

describe("windows", () => {
  const PAIR = { kind: "text", text: "a a a", textPair: "a ".repeat(100) } as const;

  test("keep as much of the first text as the caller says", async () => {
    const encoder = createEncoder(await readModelFiles(`${MODELS}tiny-bert-sentiment`));

    const [first] = encoder.locate(PAIR, { overlong: "windows", firstTokensMax: 2, tokensMax: 20 });
    expect([...(first?.parts ?? [])]).toEqual([0, 1, 1, 0, ...Array(15).fill(2), 0]);
  });

  test("are refused where the first text leaves no room, or where there are too many", async () => {
    const encoder = createEncoder(await readModelFiles(`${MODELS}tiny-bert-sentiment`));

    expect(() => encoder.locate(PAIR, { overlong: "windows", tokensMax: 6 })).toThrow(/leaves no room/);
    const long = { kind: "text", text: "a ".repeat(10_000) } as const;
    expect(() => encoder.locate(long, { overlong: "windows", tokensMax: 12, stride: 9 })).toThrow(/takes 9991 windows, and at most 8192/);
    expect(() => encoder.locate({ kind: "text", text: "x".repeat(1024 ** 2 + 1) }, { overlong: "windows" })).toThrow(/at most 1048576/);
  });

  test("there is one, with the template alone, of an empty text", async () => {
    const encoder = createEncoder(await readModelFiles(`${MODELS}tiny-bert-sentiment`));

    for (const text of ["", "  ", "\u0000", "\ufffd"]) {
      const windows = encoder.locate({ kind: "text", text }, { overlong: "windows", stride: 5 });
      expect(windows.map(({ ids }) => [...ids])).toEqual([[2, 3]]);
    }
  });
});

test("of a pair, only the first text is cut where the caller says so, and the second is refused if it is too long alone", async () => {
  const encoder = createEncoder(await readModelFiles(`${MODELS}tiny-bert-sentiment`));
  const pair = { kind: "text", text: "a ".repeat(50), textPair: "a ".repeat(10) } as const;

  expect([...encoder.encode(pair, { overlong: "cut-first", tokensMax: 20 }).typeIds]).toEqual([...Array(9).fill(0), ...Array(11).fill(1)]);
  expect(() => encoder.encode(pair, { overlong: "cut-first", tokensMax: 12 })).toThrow(/and the model reads at most 12/);
});

test.each([-1, 0.5, 1200, Number.NaN])("the token id %s is refused, as it is in no vocabulary", async (id) => {
  const encoder = createEncoder(await readModelFiles(`${MODELS}tiny-bert-sentiment`));

  expect(() => encoder.encode({ kind: "tokens", tokenIds: [5, id] }, "refuse")).toThrow(/is not in the model's vocabulary/);
});

test("lone surrogates, a word of two megabytes and mixed directions are read like any text", async () => {
  for (const name of NAMES) {
    const encoder = createEncoder(await readModelFiles(`${MODELS}${name}`));
    for (const text of ["\ud800", "a\udc00b", "\ud83d \ude00", "x".repeat(2 * 1024 ** 2), "abc \u202eשלום\u202c مرحبا e\u0301\u0316"])
      expect(encoder.encode({ kind: "text", text }, "cut").ids.length, `${name} ${text.slice(0, 20)}`).toBeGreaterThan(0);
  }
});

test("a decoder's tokens become text again, and none become an empty one", async () => {
  const encoder = createEncoder(await readModelFiles(`${MODELS}tiny-gpt2`));
  const { cases } = JSON.parse(readFileSync(`${MODELS}tiny-gpt2/expected.json`, "utf8"));

  for (const { greedy_ids, greedy_text } of cases) expect(encoder.decode(greedy_ids, { skipsSpecial: true })).toBe(greedy_text);
  expect(encoder.decode([], { skipsSpecial: false })).toBe("");
  expect(encoder.decode([999_999], { skipsSpecial: false })).toBe("");
});

test("tokens are spelled as in the vocabulary, the others as the unknown one", async () => {
  const encoder = createEncoder(await readModelFiles(`${MODELS}tiny-bert-sentiment`));
  const ids = encoder.encode({ kind: "text", text: "London" }, "cut").ids;

  expect([...ids].map(encoder.spell)).toEqual(["[CLS]", "lon", "##d", "##on", "[SEP]"]);
  expect(encoder.spell(999_999)).toBe("[UNK]");
});

test.each(["tiny-albert-regression", "tiny-roberta-nli"])("%s reads the longest text that a request may hold", async (name) => {
  const encoder = createEncoder(await readModelFiles(`${MODELS}${name}`));

  for (const text of ["x".repeat(1024 ** 2), "word ".repeat(200_000)]) {
    expect(encoder.encode({ kind: "text", text }, "cut").ids.length).toBe(64);
    expect(() => encoder.encode({ kind: "text", text }, "refuse")).toThrow(/characters, and at most 65536 are read/);
  }
});

async function withVocabulary(name: string, words: Record<string, number>): Promise<ModelFiles> {
  const files = await readModelFiles(`${MODELS}${name}`);
  const tokenizer = JSON.parse(readFileSync(`${MODELS}${name}/tokenizer.json`, "utf8"));
  for (const [word, id] of Object.entries(tokenizer.model.vocab))
    if (Object.values(words).includes(Number(id))) delete tokenizer.model.vocab[word];
  Object.assign(tokenizer.model.vocab, words);
  return { ...files, tokenizer };
}
