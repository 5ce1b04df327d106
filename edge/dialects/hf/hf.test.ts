import { InferenceClient } from "@huggingface/inference";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { DIMENSIONS, LABELS } from "../../../test/harness/model-double.ts";
import { type Serving, startServing } from "../../../test/harness/serving.ts";

let weir: Serving;
let client: InferenceClient;
beforeAll(async () => {
  weir = await startServing();
  client = new InferenceClient(weir.key);
});
afterAll(() => weir.close());
beforeEach(async () => {
  weir.model.asked.length = 0;
  await weir.newRows();
});

const at = (path: string) => `${weir.url}/hf/${path}`;
const askedBodies = () => weir.model.asked.map(({ body }) => body);

async function answerOf(path: string, body: unknown): Promise<unknown> {
  const answer = await weir.post(path, body);
  expect(answer.status).toBe(200);
  return answer.json();
}

test("the official client gets one vector for a text and as many as there are for a list", async () => {
  const one = await client.featureExtraction({ endpointUrl: at("minilm"), inputs: "a weir" });
  const many = await client.featureExtraction({ endpointUrl: at("minilm"), inputs: ["a weir", "a river"] });

  expect(one).toHaveLength(DIMENSIONS);
  expect(many).toHaveLength(2);
  expect(many[0]).toEqual(one);
  expect(await weir.newRows()).toMatchObject([
    { di: "hf", mo: "minilm", ta: "embed" },
    { di: "hf", mo: "minilm", ta: "embed" },
  ]);
});

test("the official client gets every label of a text, the likeliest first", async () => {
  const scores = await client.textClassification({ endpointUrl: at("sentiment"), inputs: "I like it" });

  expect(scores.map(({ label }) => label).toSorted()).toEqual(LABELS);
  expect(scores.map(({ score }) => score)).toEqual(scores.map(({ score }) => score).toSorted((a, b) => b - a));
  const rows = await weir.newRows();
  expect(rows).toMatchObject([{ di: "hf", mo: "sentiment", ta: "classify", q: "1", ti: "5" }]);
});

test("the official client's parameters reach the model", async () => {
  const parameters = { top_k: 1, function_to_apply: "sigmoid" } as const;

  const scores = await client.textClassification({ endpointUrl: at("sentiment"), inputs: "I like it", parameters });

  expect(scores).toHaveLength(1);
  expect(askedBodies()).toMatchObject([{ task: "classify", function: "sigmoid", overlong: "cut" }]);
});

test("the official client's similarities are cosines", async () => {
  const inputs = { source_sentence: "a weir", sentences: ["a weir", "a river"] };

  const cosines = await client.sentenceSimilarity({ endpointUrl: at("minilm"), inputs });

  expect(cosines[0]).toBeCloseTo(1, 6);
  expect(Math.abs(cosines[1] ?? 1)).toBeLessThan(1);
  expect(await weir.newRows()).toMatchObject([{ q: "3" }]);
});

test("the official client says our words when something is refused", async () => {
  const asked = client.featureExtraction({ endpointUrl: at("nothing"), inputs: "x" });

  await expect(asked).rejects.toThrow("Failed to perform inference: The model 'nothing' does not exist or you do not have access to it.");
});

test("parameters beside the inputs count as those within, and a null says nothing", async () => {
  // As huggingface_hub sends them.
  await answerOf("/hf/minilm", { inputs: "x", normalize: false, dimensions: 3, truncate: false });
  await answerOf("/hf/minilm", { inputs: "x", normalize: null, parameters: { normalize: false, truncate: true } });

  expect(askedBodies()).toMatchObject([
    { normalize: false, dimensions: 3, overlong: "refuse" },
    { normalize: false, overlong: "cut" },
  ]);
});

test("a list of texts and pairs gives one ranking for each", async () => {
  const rankings = await answerOf("/hf/sentiment", { inputs: ["x", { text: "y", text_pair: "z" }], parameters: { top_k: 2 } });

  expect(rankings).toMatchObject([
    [{ label: expect.any(String) }, { score: expect.any(Number) }],
    [{ label: expect.any(String) }, { score: expect.any(Number) }],
  ]);
  expect(askedBodies()[0]).toHaveProperty("inputs", [
    { kind: "text", text: "x" },
    { kind: "text", text: "y", textPair: "z" },
  ]);
});

test("too long a text is cut, unless the caller forbids it", async () => {
  const inputs = "far too many words ".repeat(10);

  await answerOf("/hf/minilm", { inputs });
  const refused = await weir.post("/hf/minilm", { inputs, parameters: { truncate: false } });

  expect(refused.status).toBe(400);
  expect(await weir.newRows()).toMatchObject([{ ti: "16" }]);
});

test("versions are named in the path as in every dialect, escaped or not", async () => {
  const servedBy = async (path: string) => (await weir.post(path, { inputs: "x" })).headers.get("weir-model");

  expect(await servedBy("/hf/minilm")).toBe("minilm@1");
  expect(await servedBy("/hf/minilm@2")).toBe("minilm@2");
  expect(await servedBy("/hf/minilm%402")).toBe("minilm@2");
  expect(await servedBy("/hf/minilm/")).toBe("minilm@1");
  expect(await servedBy("/hf/minilm/pipeline/feature-extraction")).toBe("minilm@1");
  expect(await servedBy("/hf/sentiment/pipeline/text-classification")).toBe("sentiment@1");
});

const refusals: [message: RegExp, path: string, body: unknown][] = [
  [/^inputs: must be a text/, "/hf/minilm", {}],
  [/^inputs: an input may not be an empty text/, "/hf/minilm", { inputs: "" }],
  [/^inputs: Too small/, "/hf/minilm", { inputs: [] }],
  [/^inputs\.1: an input may not be an empty text/, "/hf/minilm", { inputs: ["x", ""] }],
  [/^inputs: must be/, "/hf/minilm", { inputs: 7 }],
  [/^inputs: must be/, "/hf/minilm", { inputs: ["x", 7] }],
  [/^inputs: holds half of a surrogate pair/, "/hf/minilm", { inputs: "\ud800" }],
  [/^inputs: must be a text, .* 1 to 2048/, "/hf/minilm", { inputs: Array.from({ length: 10_000 }, () => "x") }],
  [/not valid JSON/, "/hf/minilm", '{"inputs":"x","parameters":{"dimensions":NaN}}'],
  [/^parameters\.dimensions: /, "/hf/minilm", '{"inputs":"x","parameters":{"dimensions":1e999}}'],
  [/^dimensions: this model's vectors have 8 elements/, "/hf/minilm", { inputs: "x", dimensions: 1e9 }],
  [/^parameters\.max_length: /, "/hf/minilm", { inputs: "x", parameters: { max_length: 12 } }],
  [/^prompt_name: prompts are not supported/, "/hf/minilm", { inputs: "x", prompt_name: "query" }],
  [/^parameters\.top_k: /, "/hf/minilm", { inputs: "x", parameters: { top_k: 2 } }],
  [/^text_pair: /, "/hf/minilm", { inputs: { text: "x", text_pair: "y" } }],
  [/^inputs\.sentences: /, "/hf/minilm", { inputs: { source_sentence: "x", sentences: [] } }],
  [/does 'embed', .*, not 'classify'/, "/hf/minilm/pipeline/text-classification", { inputs: "x" }],
  [/^The task must be one of feature-extraction/, "/hf/minilm/pipeline/translation", { inputs: "x" }],
  [/^parameters\.top_k: /, "/hf/sentiment", { inputs: "x", parameters: { top_k: 0 } }],
  [/^normalize: /, "/hf/sentiment", { inputs: "x", normalize: true }],
  [/does 'classify', .*, not 'embed'/, "/hf/sentiment", { inputs: { source_sentence: "x", sentences: ["y"] } }],
];

test.each(refusals)("what is refused with %s at %s asks no model and meters nothing", async (message, path, body) => {
  const answer = await weir.post(path, body);

  expect(answer.status).toBe(400);
  expect(await answer.json()).toEqual({ error: expect.stringMatching(message), error_type: "invalid_request" });
  expect(weir.model.asked).toEqual([]);
  expect(await weir.newRows()).toEqual([]);
});
