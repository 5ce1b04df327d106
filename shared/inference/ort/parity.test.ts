import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ModelInput, TaskRequest } from "../contract.ts";
import { loadModel, type Model } from "./model.ts";

const MODELS = fileURLToPath(new URL("../../../test/fixtures/models/", import.meta.url));
const NAMES = readdirSync(MODELS).filter((name) => readdirSync(`${MODELS}${name}`).includes("expected.json"));
const MINILM = fileURLToPath(new URL("../../../cdk/local/models/all-minilm-l6-v2/", import.meta.url));
const TOLERANCE = 1e-4;
const QUANTIZED_COSINE_MIN = 0.98;

/** What PyTorch answers: a vector, or scores sorted from the highest. */
type Case = {
  readonly text: string;
  readonly text_pair?: string;
  readonly input_ids: readonly number[];
  readonly embedding?: readonly number[];
  readonly scores?: readonly { readonly label: string; readonly score: number }[];
};

describe.each(NAMES)("%s answers as PyTorch does", (name) => {
  const cases: Case[] = JSON.parse(readFileSync(`${MODELS}${name}/expected.json`, "utf8")).cases;
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(`${MODELS}${name}`, "fp32", { threads: 1, provider: "cpu" });
  });
  afterAll(() => model.dispose());

  test("each text alone", async () => {
    for (const one of cases) await expectAnswers([one]);
  });

  test("inside batches of every length, in any order", async () => {
    await expectAnswers(cases);
    await expectAnswers([...cases].reverse());
    const [shortest, longest] = [...cases]
      .sort((a, b) => a.input_ids.length - b.input_ids.length)
      .filter((_, at, all) => at === 0 || at === all.length - 1);
    if (shortest && longest) await expectAnswers([longest, shortest, shortest]);
  });

  test("token ids given as such answer like their text", async () => {
    const single = cases.filter((one) => one.text_pair === undefined);

    await expectAnswers(single, ({ input_ids }) => ({ kind: "tokens", tokenIds: input_ids }));
  });

  async function expectAnswers(some: readonly Case[], inputOf: (one: Case) => ModelInput = textOf) {
    const request: TaskRequest = { task: model.facts.task, inputs: some.map(inputOf), overlong: "cut" };
    const { body, inputTokens } = await model.run(request);
    expect(inputTokens).toEqual(some.map(({ input_ids }) => input_ids.length));
    const values = body.task === "embed" ? body.vectors : body.scores;
    const expected = some.flatMap((one) =>
      body.task === "embed" ? (one.embedding ?? []) : body.labels.map((label) => scoreOf(one, label)),
    );
    expect(values.length).toBe(expected.length);
    expect(largestDifference(values, expected)).toBeLessThan(TOLERANCE);
  }
});

describe("MiniLM in 8 bits", () => {
  const { texts, tokens, vectors }: { texts: string[]; tokens: number[][]; vectors: number[][] } = JSON.parse(
    readFileSync(`${MINILM}expected.json`, "utf8"),
  );
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(MINILM, "q8", { threads: 1, provider: "cpu" });
  });
  afterAll(() => model.dispose());

  test("token ids are the original's: 256 tokens and not tokenizer.json's 128", () => {
    for (const [at, text] of texts.entries()) {
      expect([...model.encoder.encode({ kind: "text", text }, "cut").ids]).toEqual(tokens[at]);
    }
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
    const { body } = await model.run({ task: "embed", inputs: some.map((text) => ({ kind: "text", text })), overlong: "cut" });
    if (body.task !== "embed") throw new Error("MiniLM embeds");
    return some.map((_, at) => body.vectors.subarray(at * body.dimensions, (at + 1) * body.dimensions));
  }
});

/** Of vectors of length 1. */
function cosine(a: Float32Array, b: readonly number[]): number {
  return a.reduce((sum, element, at) => sum + element * (b[at] ?? 0), 0);
}

function textOf({ text, text_pair: textPair }: Case): ModelInput {
  return { kind: "text", text, ...(textPair !== undefined && { textPair }) };
}

/** A label that PyTorch does not know differs from everything. */
function scoreOf({ scores }: Case, label: string): number {
  return scores?.find((score) => score.label === label)?.score ?? Number.POSITIVE_INFINITY;
}

function largestDifference(values: Float32Array, expected: readonly number[]): number {
  return values.reduce((most, value, at) => Math.max(most, Math.abs(value - (expected[at] ?? Number.POSITIVE_INFINITY))), 0);
}
