import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { LocatedInput } from "./coder.ts";
import { readModelFiles } from "./model-files.ts";
import { createEncoder, type Encoder } from "./tokenize.ts";

const FIXTURES = fileURLToPath(new URL("../../../test/fixtures/", import.meta.url));

type Case = {
  readonly text: string;
  readonly ids: readonly number[];
  readonly spans: readonly number[];
  readonly words: readonly number[];
};
const OFFSETS: Record<string, Case[]> = JSON.parse(readFileSync(`${FIXTURES}tokenizing/offsets.json`, "utf8"));

type WindowCase = Pick<Case, "text"> & {
  readonly model: string;
  readonly textPair?: string;
  readonly overlong: "windows" | "cut-first";
  readonly tokensMax: number;
  readonly stride: number;
  readonly windows: readonly Record<"ids" | "typeIds" | "spans" | "parts" | "words", readonly number[]>[];
};
const WINDOWS: WindowCase[] = JSON.parse(readFileSync(`${FIXTURES}tokenizing/windows.json`, "utf8"));

const NASTY = fc
  .array(
    fc.oneof(
      fc.string({ unit: "binary", maxLength: 6 }),
      fc.constantFrom(
        "e\u0301",
        "\u1112\u1161\u11ab",
        "İ",
        "ß",
        "ﬁ",
        "½",
        "𠀀",
        "👩‍👧",
        "[SEP]",
        "<s>",
        "<mask>",
        " ",
        "\t",
        "\ufeff",
        "\u0000",
      ),
      fc.constantFrom(
        "\ud800",
        "\udc00",
        "``",
        "▁",
        "##ing",
        "Ġ",
        "word",
        "don't",
        "大型",
        "مرحبا",
        "\u0085",
        "\u0316\u0301",
        "<|endoftext|>",
      ),
    ),
    { maxLength: 20 },
  )
  .map((parts) => parts.join(""));

describe.each(Object.keys(OFFSETS))("%s", (name) => {
  test("ids, spans and words are those of Python's tokenizers, for odd texts", async () => {
    const encoder = await longEncoder(name);

    for (const { text, ids, spans, words } of OFFSETS[name] ?? []) {
      const [located] = encoder.locate({ kind: "text", text }, { overlong: "cut" });
      expect({ ids: [...(located?.ids ?? [])], spans: [...(located?.spans ?? [])], words: [...(located?.words ?? [])] }).toEqual({
        ids,
        spans,
        words,
      });
    }
  });

  test("places never change the ids, and lie in the text, in order", async () => {
    const encoder = await longEncoder(name);

    fc.assert(
      fc.property(NASTY, (text) => {
        const [located] = encoder.locate({ kind: "text", text }, { overlong: "cut" });
        expect([...(located?.ids ?? [])]).toEqual([...encoder.encode({ kind: "text", text }, "cut").ids]);
        if (located !== undefined) expectOrder(located, text);
      }),
      { numRuns: 300 },
    );
  });
});

test.each(WINDOWS.map((each) => [`${each.model}, ${each.overlong}, ${each.tokensMax} tokens, stride ${each.stride}`, each] as const))(
  "%s: encodings are those of transformers",
  async (_, { model, text, textPair, overlong, tokensMax, stride, windows }) => {
    const encoder = createEncoder(await readModelFiles(`${FIXTURES}models/${model}`));

    const input = { kind: "text", text, ...(textPair !== undefined && { textPair }) } as const;
    const located = encoder.locate(input, { overlong, tokensMax, stride });

    expect(located.map((each) => Object.fromEntries(Object.entries(each).map(([key, list]) => [key, [...list]])))).toEqual(windows);
  },
);

function expectOrder({ spans, words, parts }: LocatedInput, text: string) {
  let [lastStart, lastWord] = [0, 0];
  for (let token = 0; token < words.length; token += 1) {
    const [start = -1, end = -1, word = -2] = [spans[2 * token], spans[2 * token + 1], words[token]];
    if (parts[token] === 0) expect([start, end, word]).toEqual([0, 0, -1]);
    else {
      expect(start).toBeGreaterThanOrEqual(lastStart);
      expect(end).toBeGreaterThanOrEqual(start);
      expect(end).toBeLessThanOrEqual(text.length);
      expect(word).toBeGreaterThanOrEqual(lastWord);
      [lastStart, lastWord] = [start, word];
    }
  }
}

/** With the model's own tokenizer, and room for every text. */
async function longEncoder(name: string): Promise<Encoder> {
  const files = await readModelFiles(`${FIXTURES}models/${name}`);
  return createEncoder({ ...files, settings: { ...files.settings, tokensMax: 10_000 } });
}
