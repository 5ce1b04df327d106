import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type ModelFiles, readModelFiles } from "./model-files.ts";
import { createEncoder, longestFirst } from "./tokenize.ts";

const MODELS = fileURLToPath(new URL("../../../test/fixtures/models/", import.meta.url));
const NAMES = readdirSync(MODELS).filter((name) => readdirSync(`${MODELS}${name}`).includes("expected.json"));

type Case = { readonly text: string; readonly text_pair?: string; readonly input_ids: readonly number[] };
const casesOf = (name: string): Case[] => JSON.parse(readFileSync(`${MODELS}${name}/expected.json`, "utf8")).cases;

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

test.each(["tiny-albert-regression", "tiny-roberta-nli"])("%s reads the longest text that a request may hold", async (name) => {
  const encoder = createEncoder(await readModelFiles(`${MODELS}${name}`));

  for (const text of ["x".repeat(1024 ** 2), "word ".repeat(200_000)]) {
    expect(encoder.encode({ kind: "text", text }, "cut").ids.length).toBe(64);
    expect(() => encoder.encode({ kind: "text", text }, "refuse")).toThrow(/characters, and at most 65536 are read/);
  }
});

test("of a pair, the shorter text is cut last and the sum fits", () => {
  fc.assert(
    fc.property(fc.nat(300), fc.nat(300), fc.nat(200), (first, second, room) => {
      const kept = longestFirst({ first, second }, room);
      expect(kept.first + kept.second).toBe(Math.min(first + second, room));
      expect(kept.first).toBeLessThanOrEqual(first);
      expect(kept.second).toBeLessThanOrEqual(second);
      if (kept.first < first) expect(kept.first).toBeGreaterThanOrEqual(Math.min(kept.second, Math.floor(room / 2)));
    }),
  );
});

async function withVocabulary(name: string, words: Record<string, number>): Promise<ModelFiles> {
  const files = await readModelFiles(`${MODELS}${name}`);
  const tokenizer = JSON.parse(readFileSync(`${MODELS}${name}/tokenizer.json`, "utf8"));
  for (const [word, id] of Object.entries(tokenizer.model.vocab))
    if (Object.values(words).includes(Number(id))) delete tokenizer.model.vocab[word];
  Object.assign(tokenizer.model.vocab, words);
  return { ...files, tokenizer };
}
