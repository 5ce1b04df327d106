import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { answersOf, compare } from "../../../test/parity/answer.ts";
import { casesIn, groupsOf, joined, type ParityCase } from "../../../test/parity/cases.ts";
import { loadModel, type Model } from "./model.ts";

const MODELS = fileURLToPath(new URL("../../../test/fixtures/models/", import.meta.url));
const MINILM = fileURLToPath(new URL("../../../cdk/local/models/all-minilm-l6-v2/", import.meta.url));
const OPTIONS = { threads: 1, provider: "cpu" } as const;
const TOLERANCE = 1e-4;
const QUANTIZED_COSINE_MIN = 0.98;

const FILES = readdirSync(MODELS).flatMap((name) =>
  readdirSync(`${MODELS}${name}`)
    .filter((file) => /^expected.*\.json$/.test(file))
    .map((file) => [name, file, casesIn(JSON.parse(readFileSync(`${MODELS}${name}/${file}`, "utf8")))] as const),
);

describe.each(FILES.filter(([, , cases]) => cases.length > 0))("%s answers as PyTorch does (%s)", (name, _, cases) => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(`${MODELS}${name}`, "fp32", OPTIONS);
  });
  afterAll(() => model.dispose());

  test("token ids are the original's", async () => {
    const encoded = cases.flatMap((one) => (one.encoded === undefined ? [] : [one.encoded]));

    const inputs = await model.coder.encode(
      encoded.map(({ input }) => input),
      { overlong: "cut" },
    );

    expect(inputs.map(({ ids }) => [...ids])).toEqual(encoded.map(({ ids }) => ids));
  });

  test("each input alone", async () => {
    for (const one of cases) await expectAnswers([one]);
  });

  test("inside batches of every length, in any order", async () => {
    for (const group of groupsOf(cases)) {
      await expectAnswers(group);
      await expectAnswers([...group].reverse());
      await expectAnswers([...group.slice(1), ...group.slice(0, 2)]);
    }
  });

  async function expectAnswers(some: readonly ParityCase[]) {
    const request = joined(some);
    if (request === undefined) throw new Error("the cases of a group ask alike");
    const { body, inputTokens } = await model.run(request);
    const answers = answersOf(body);
    expect([answers.length, inputTokens.length]).toEqual([some.length, some.length]);
    some.forEach(({ expected, request: asked }, at) => {
      const answer = answers[at] ?? { numbers: [], exact: undefined };
      expect(answer.exact, JSON.stringify(asked)).toEqual(expected.exact);
      expect(compare(answer, expected).deltaMax, JSON.stringify(asked)).toBeLessThan(TOLERANCE);
    });
  }
});

test("every fixture is among them, but for generation, which is driven otherwise", () => {
  expect(FILES.filter(([, , cases]) => cases.length === 0).map(([name]) => name)).toEqual(["tiny-gpt2"]);
  expect(new Set(FILES.flatMap(([, , cases]) => cases.map(({ request }) => request.task)))).toEqual(
    new Set(["embed", "classify", "rerank", "tag", "fill", "answer", "detect", "zero-shot"]),
  );
});

describe("MiniLM in 8 bits", () => {
  const { texts, tokens, vectors }: { texts: string[]; tokens: number[][]; vectors: number[][] } = JSON.parse(
    readFileSync(`${MINILM}expected.json`, "utf8"),
  );
  const inputsOf = (some: readonly string[]) => some.map((text) => ({ kind: "text", text }) as const);
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(MINILM, "q8", OPTIONS);
  });
  afterAll(() => model.dispose());

  test("token ids are the original's: 256 tokens and not tokenizer.json's 128", async () => {
    const encoded = await model.coder.encode(inputsOf(texts), { overlong: "cut" });

    expect(encoded.map(({ ids }) => [...ids])).toEqual(tokens);
  });

  test("vectors point where the float32 original's do, alone and in one batch", async () => {
    const together = await vectorsOf(texts);

    for (const [at, text] of texts.entries()) {
      const [alone] = await vectorsOf([text]);
      for (const vector of [alone, together[at]])
        expect(cosine(vector ?? new Float32Array(), vectors[at] ?? [])).toBeGreaterThan(QUANTIZED_COSINE_MIN);
    }
  });

  async function vectorsOf(some: readonly string[]): Promise<Float32Array[]> {
    const { body } = await model.run({ task: "embed", inputs: inputsOf(some), overlong: "cut" });
    if (body.task !== "embed") throw new Error("MiniLM embeds");
    return some.map((_, at) => body.vectors.subarray(at * body.dimensions, (at + 1) * body.dimensions));
  }
});

/** Of vectors of length 1. */
function cosine(a: Float32Array, b: readonly number[]): number {
  return a.reduce((sum, element, at) => sum + element * (b[at] ?? 0), 0);
}
