import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadModelWith, type Model } from "../../shared/inference/ort/model.ts";
import { folderOf } from "../../test/harness/inference.ts";
import { answersOf, compare } from "../../test/parity/answer.ts";
import { casesIn, groupsOf, joined, type ParityCase } from "../../test/parity/cases.ts";
import { loadWasmRuntime, openWasmSession } from "./session.ts";

const MODELS = `${folderOf("test/fixtures/models")}/`;
const MINILM = `${folderOf("cdk/local/models/all-minilm-l6-v2")}/`;
const TOLERANCE = 1e-3;
const QUANTIZED_COSINE_MIN = 0.98;

const FILES = readdirSync(MODELS).flatMap((name) =>
  readdirSync(`${MODELS}${name}`)
    .filter((file) => /^expected.*\.json$/.test(file))
    .map((file) => [name, file, casesIn(JSON.parse(readFileSync(`${MODELS}${name}/${file}`, "utf8")))] as const),
);

beforeAll(loadWasmRuntime);

// Decoders are compared in `pool.test.ts`, where they generate.
describe.each(FILES.filter(([, , cases]) => cases.length > 0))("%s answers in WASM as PyTorch does (%s)", (name, _, cases) => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModelWith(openWasmSession, `${MODELS}${name}`, "fp32");
  });
  afterAll(() => model.dispose());

  test("each input alone, and inside batches in any order", async () => {
    for (const one of cases) await expectAnswers([one]);
    for (const group of groupsOf(cases)) {
      await expectAnswers(group);
      await expectAnswers([...group].reverse());
    }
  });

  async function expectAnswers(some: readonly ParityCase[]) {
    const request = joined(some);
    if (request === undefined) throw new Error("the cases of a group ask alike");
    const answers = answersOf((await model.run(request)).body);
    expect(answers).toHaveLength(some.length);
    some.forEach(({ expected, request: asked }, at) => {
      const answer = answers[at] ?? { numbers: [], exact: undefined };
      expect(answer.exact, JSON.stringify(asked)).toEqual(expected.exact);
      expect(compare(answer, expected).deltaMax, JSON.stringify(asked)).toBeLessThan(TOLERANCE);
    });
  }
});

test("MiniLM's vectors in 8 bits point where the float32 original's do", async () => {
  const { texts, vectors }: { texts: string[]; vectors: number[][] } = JSON.parse(readFileSync(`${MINILM}expected.json`, "utf8"));
  const model = await loadModelWith(openWasmSession, MINILM, "q8");

  const { body } = await model.run({ task: "embed", inputs: texts.map((text) => ({ kind: "text", text })), overlong: "cut" });

  if (body.task !== "embed") throw new Error("MiniLM embeds");
  for (const [at, expected] of vectors.entries()) {
    const vector = body.vectors.subarray(at * body.dimensions, (at + 1) * body.dimensions);
    // Both are of length 1.
    const cosine = vector.reduce((sum, element, place) => sum + element * (expected[place] ?? 0), 0);
    expect(cosine).toBeGreaterThan(QUANTIZED_COSINE_MIN);
  }
  await model.dispose();
});
