import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { InferenceClient } from "@huggingface/inference";
import OpenAI from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { weir } from "../harness/cli.ts";
import { startPlatform, type TestPlatform } from "../harness/platform.ts";

const EXPECTED = fileURLToPath(new URL("../../cdk/local/models/all-minilm-l6-v2/expected.json", import.meta.url));
const COSINE_MIN = 0.98;

let platform: TestPlatform;

beforeAll(async () => {
  platform = await startPlatform();
});
afterAll(() => platform.remove());

test("the unmodified openai client gets MiniLM's own vectors, and they are metered", async () => {
  const client = new OpenAI({ baseURL: `${platform.url}/v1`, apiKey: platform.demoKey, maxRetries: 0 });
  const { texts, vectors } = JSON.parse(await readFile(EXPECTED, "utf8")) as { texts: string[]; vectors: number[][] }; // made with PyTorch
  const asked = texts.filter((text) => text !== "").slice(0, 8);

  const answer = await client.embeddings.create({ model: "minilm@1", input: asked });

  const cosines = answer.data.map(({ embedding }, index) => dot(embedding, vectors[texts.indexOf(asked[index] ?? "")] ?? []));
  expect(Math.min(...cosines)).toBeGreaterThan(COSINE_MIN);
  const usage = JSON.parse(await weir(platform, "usage", "--tenant", "demo", "--json")) as {
    items: { model: string; inputTokens: number }[];
  }; // UsageReport
  expect(usage.items.find(({ model }) => model === "minilm")?.inputTokens).toBeGreaterThanOrEqual(answer.usage.prompt_tokens);
});

test("the unmodified Hugging Face client classifies", async () => {
  const client = new InferenceClient(platform.demoKey, { endpointUrl: `${platform.url}/hf/sentiment` });

  const answer = await client.textClassification({ inputs: "I loved this movie; the acting was superb!" });

  expect(answer[0]?.label).toBe("POSITIVE");
  expect(answer[0]?.score).toBeCloseTo(0.583369, 4);
});

test("the command line asks every kind of model, each in the form of its task", async () => {
  expect(await weir(platform, "infer", "minilm", "a weir")).toMatch(
    /^384 dimensions: [-\d. ]+ …[\s\S]*served by minilm@1, arm \S+, tier cpu/,
  );
  expect(await weir(platform, "infer", "sentiment", "I loved this movie!")).toMatch(/^LABEL +SCORE\nPOSITIVE +0\.\d{4}/);
  expect(await weir(platform, "infer", "minilm", "The river is high after the rain.", "--labels", "sport,weather")).toMatch(
    /SCORE\nweather/,
  );
  expect(await weir(platform, "infer", "minilm", "water", "--documents", "a bank", "a river")).toMatch(/SCORE\na river/);
  expect(await weir(platform, "infer", "smollm2", "What is the capital of France?", "--max-tokens", "12")).toMatch(
    /Paris[\s\S]*served by smollm2@1/,
  );
  const json = await weir(platform, "--json", "infer", "minilm", "a weir", "--task", "keywords");
  expect(JSON.parse(json)).toMatchObject({ task: "keywords", model: "minilm@1", outputs: { keywords: [expect.stringContaining("weir")] } });
}, 90_000);

test("a bad folder is rejected with its reason, one that never ends too, and the others answer on", async () => {
  const bad = fileURLToPath(new URL("../fixtures/bad-models/bad-labels", import.meta.url));

  await expect(weir(platform, "models", "publish", bad, "--name", "bad")).rejects.toThrow(/label/);

  const client = new OpenAI({ baseURL: `${platform.url}/v1`, apiKey: platform.demoKey, maxRetries: 0 });
  expect((await client.embeddings.create({ model: "minilm", input: "still here" })).data).toHaveLength(1);
  await expect(client.embeddings.create({ model: "bad", input: "x" })).rejects.toThrow(/does not exist/);
});

test("the description of the API and its pages come from our own origin", async () => {
  const document = (await (await fetch(`${platform.url}/openapi.json`)).json()) as { openapi: string; paths: object }; // OpenAPI's own form
  const docs = await (await fetch(`${platform.url}/docs`)).text();

  expect(Object.keys(document.paths)).toEqual(expect.arrayContaining(["/v1/embeddings", "/admin/splits/{model}", "/v1/usage"]));
  expect(docs).not.toMatch(/https?:\/\/(?!127\.0\.0\.1)/);
});

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);
}
