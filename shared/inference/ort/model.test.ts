import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { loadModel, runGolden } from "./model.ts";

const FIXTURES = fileURLToPath(new URL("../../../test/fixtures/", import.meta.url));
const OPTIONS = { threads: 1, provider: "cpu" } as const;

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

describe("a good model", () => {
  test.each([
    ["tiny-bert-embed", { task: "embed", family: "bert", tokensMax: 48, dimensions: 48, dtypes: ["fp32", "q8"] }],
    ["tiny-electra-intent", { task: "classify", family: "electra", tokensMax: 64, dtypes: ["fp32"] }],
    ["tiny-albert-regression", { task: "classify", family: "albert", tokensMax: 64, labels: ["stars"], dtypes: ["fp32"] }],
    ["tiny-roberta-nli", { task: "classify", family: "roberta", tokensMax: 64, labels: ["contradiction", "neutral", "entailment"] }],
    ["tiny-bert-external", { task: "classify", labels: ["NEGATIVE", "POSITIVE"] }],
  ])("%s: the golden run tells what it is", async (name, expected) => {
    const model = await loadModel(join(FIXTURES, "models", name), "fp32", OPTIONS);

    expect(await runGolden(model)).toMatchObject(expected);
    await model.dispose();
  });

  test("the quantised graph of a folder runs too", async () => {
    const model = await loadModel(join(FIXTURES, "models/tiny-roberta-embed-cls"), "q8", OPTIONS);

    expect(await runGolden(model)).toMatchObject({ task: "embed", dimensions: 48 });
    await model.dispose();
  });
});

describe("a model that cannot be served is refused with the reason", () => {
  test.each([
    ["bad-external-escape", /onnx\/model.onnx reads weights from '.*etc\/passwd', which leaves its folder/],
    ["bad-labels", /config.json names 5 labels, and the graph's logits have 2/],
    ["bad-truncated", /onnx\/model.onnx cannot be read: it is not a whole ONNX graph: it ends in the middle/],
    ["bad-vocab", /tokenizer.json: it knows token ids up to \d+, and the model has 1200 word embeddings/],
  ])("%s", async (name, reason) => {
    await expect(loadModel(join(FIXTURES, "bad-models", name), "fp32", OPTIONS)).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringMatching(reason),
    });
  });

  test("a vocabulary that only running can tell to be too large", async () => {
    const folder = await copyOf("bad-models/bad-vocab", { vocab_size: 100_000 });
    const model = await loadModel(folder, "fp32", OPTIONS);

    await expect(runGolden(model)).rejects.toThrow(
      /cannot read the tokenizer's highest token id, \d+\. The model failed: .*out of data bounds/,
    );
    await model.dispose();
  });

  test("positions that end before the longest input", async () => {
    const folder = await copyOf("models/tiny-bert-sentiment", { max_position_embeddings: 80 });
    await writeFile(join(folder, "tokenizer_config.json"), "{}");
    const model = await loadModel(folder, "fp32", OPTIONS);

    await expect(runGolden(model)).rejects.toThrow(/cannot read 80 tokens, as its files say it can/);
    await model.dispose();
  });

  test("garbage in the place of the graph, and a dtype that is not there", async () => {
    const folder = await copyOf("models/tiny-bert-sentiment", {});
    await writeFile(join(folder, "onnx/model.onnx"), "hello");

    await expect(loadModel(folder, "fp32", OPTIONS)).rejects.toMatchObject({ code: "invalid_request", field: "onnx/model.onnx" });
    await expect(loadModel(folder, "q8", OPTIONS)).rejects.toThrow(/no graph for q8/);
  });

  test("modules that the graph does not contain", async () => {
    const folder = await copyOf("models/tiny-bert-embed", {});
    await writeFile(join(folder, "modules.json"), JSON.stringify([{ type: "sentence_transformers.models.Dense", path: "2_Dense" }]));

    await expect(loadModel(folder, "fp32", OPTIONS)).rejects.toThrow(/modules.json: Dense must be part of the graph/);
  });
});

async function copyOf(name: string, change: Record<string, unknown>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "weir-model-"));
  folders.push(folder);
  await cp(join(FIXTURES, name), folder, { recursive: true });
  const config = join(folder, "config.json");
  await writeFile(config, JSON.stringify({ ...JSON.parse(await readFile(config, "utf8")), ...change }));
  return folder;
}
