import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { runGolden } from "./golden.ts";
import { loadModel } from "./model.ts";
import { compareVariants } from "./variants.ts";

const FIXTURES = fileURLToPath(new URL("../../../test/fixtures/", import.meta.url));
const OPTIONS = { threads: 1, provider: "cpu" } as const;

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

describe("a good model", () => {
  test.each([
    ["tiny-bert-embed", { head: "embed", family: "bert", tokensMax: 48, dimensions: 48, dtypes: ["fp32", "q8"] }],
    ["tiny-electra-intent", { head: "classify", family: "electra", tokensMax: 64, dtypes: ["fp32"] }],
    ["tiny-albert-regression", { head: "classify", family: "albert", tokensMax: 64, labels: ["stars"], dtypes: ["fp32"] }],
    ["tiny-roberta-nli", { head: "classify", family: "roberta", tokensMax: 64, labels: ["contradiction", "neutral", "entailment"] }],
    ["tiny-bert-ner", { head: "tag", labels: ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"] }],
    ["tiny-bert-qa", { head: "answer", family: "bert" }],
    ["tiny-roberta-mlm", { head: "fill", family: "roberta" }],
    ["tiny-electra-rtd", { head: "detect", family: "electra" }],
    ["tiny-gpt2-classify", { head: "classify", family: "gpt2", labels: ["a", "b", "c"] }],
    ["tiny-gpt2", { head: "generate", family: "gpt2" }],
    ["tiny-bert-external", { head: "classify", labels: ["NEGATIVE", "POSITIVE"] }],
  ])("%s: the golden run tells what it is", async (name, expected) => {
    const model = await loadModel(join(FIXTURES, "models", name), "fp32", OPTIONS);

    expect(await runGolden(model)).toMatchObject(expected);
    await model.dispose();
  });

  test("the quantised graph of a folder runs too", async () => {
    const model = await loadModel(join(FIXTURES, "models/tiny-roberta-embed-cls"), "q8", OPTIONS);

    expect(await runGolden(model)).toMatchObject({ head: "embed", dimensions: 48 });
    await model.dispose();
  });
});

test("the bare graph's tensors are named, without a decoder's cache", async () => {
  const model = await loadModel(join(FIXTURES, "models/tiny-gpt2"), "fp32", OPTIONS);

  const { graph, chats } = await runGolden(model);

  expect(graph?.inputs.map(({ name, type, dims }) => [name, type, dims])).toEqual([
    ["input_ids", "int64", [-1, -1]],
    ["attention_mask", "int64", [-1, -1]],
    ["position_ids", "int64", [-1, -1]],
  ]);
  expect(graph?.outputs).toEqual([{ name: "logits", type: "float32", dims: [-1, -1, 1000] }]);
  expect(chats).toBeUndefined();
  await model.dispose();
});

describe("the variants of a folder", () => {
  test("are compared with the placed one on the golden inputs", async () => {
    const drift = await compareVariants(join(FIXTURES, "models/tiny-bert-embed"), "fp32", OPTIONS);

    expect(drift).toEqual([{ dtype: "q8", deltaMax: expect.any(Number), cosineMin: expect.any(Number) }]);
    expect(drift[0]?.deltaMax).toBeGreaterThan(0);
    expect(drift[0]?.cosineMin).toBeGreaterThan(0.9);
    expect(drift[0]?.cosineMin).toBeLessThan(1);
  });

  test("a decoder's, too, by the logits of the next token", async () => {
    const drift = await compareVariants(join(FIXTURES, "models/tiny-gpt2"), "fp32", OPTIONS);

    expect(drift).toEqual([{ dtype: "q8", deltaMax: expect.any(Number), cosineMin: expect.any(Number) }]);
    expect(drift[0]?.cosineMin).toBeGreaterThan(0.9);
  });

  test("the same graph under another name has no drift, and one that cannot be loaded is recorded with its reason", async () => {
    const folder = await copyOf("models/tiny-bert-ner", {});
    await cp(join(folder, "onnx/model.onnx"), join(folder, "onnx/model_fp16.onnx"));
    await writeFile(join(folder, "onnx/model_q4.onnx"), "hello");

    const drift = await compareVariants(folder, "fp32", OPTIONS);

    expect(drift).toHaveLength(2);
    expect(drift[0]).toMatchObject({ dtype: "fp16", deltaMax: 0 });
    expect(drift[0]?.cosineMin).toBeCloseTo(1, 6);
    expect(drift[1]).toMatchObject({ dtype: "q4", error: expect.stringContaining("onnx/model_q4.onnx") });
  });
});

describe("the bare graph", () => {
  const int64 = (name: string, values: readonly number[], shape: readonly number[]) =>
    ({ name, type: "int64", shape, bytes: new Uint8Array(BigInt64Array.from(values, BigInt).buffer) }) as const;

  test("answers tensors with the numbers of its task", async () => {
    const model = await loadModel(join(FIXTURES, "models/tiny-bert-sentiment"), "fp32", OPTIONS);
    const ids = [2, 5, 6, 3];
    const tensors = [
      int64("input_ids", ids, [1, 4]),
      int64("attention_mask", [1, 1, 1, 1], [1, 4]),
      int64("token_type_ids", [0, 0, 0, 0], [1, 4]),
    ];

    const { body, inputTokens } = await model.run({ task: "forward", tensors });
    const task = await model.run({ task: "classify", inputs: [{ kind: "tokens", tokenIds: ids }], overlong: "cut", function: "none" });

    if (body.task !== "forward" || task.body.task !== "classify") throw new Error("each answers its own task");
    expect(inputTokens).toEqual([4]);
    expect(body.tensors).toMatchObject([{ name: "logits", type: "float32", shape: [1, 2] }]);
    expect(new Float32Array(body.tensors[0]?.bytes.slice().buffer ?? new ArrayBuffer())).toEqual(task.body.scores);
    await model.dispose();
  });

  test("of a decoder is not offered, and what a version does not do is refused with what it does", async () => {
    const decoder = await loadModel(join(FIXTURES, "models/tiny-gpt2"), "fp32", OPTIONS);
    const encoder = await loadModel(join(FIXTURES, "models/tiny-roberta-nli"), "fp32", OPTIONS);

    await expect(decoder.run({ task: "forward", tensors: [] })).rejects.toThrow("The model does generate, not forward.");
    await expect(encoder.run({ task: "rerank", query: "a", documents: ["b"], overlong: "cut" })).rejects.toMatchObject({
      code: "invalid_request",
      message: "The model does classify, zero-shot, forward, not rerank.",
    });
    await decoder.dispose();
    await encoder.dispose();
  });
});

test("a long text is read in windows: each of its tokens is named once, where it stands", async () => {
  const model = await loadModel(join(FIXTURES, "models/tiny-bert-ner"), "fp32", OPTIONS);
  const text = "Ada Lovelace worked with Charles Babbage in London. ".repeat(20);

  const { body } = await model.run({ task: "tag", texts: [text], aggregation: "none", ignoreLabels: [] });

  if (body.task !== "tag") throw new Error("it tags");
  const [tokens = []] = body.items;
  expect(tokens.length).toBeGreaterThan(300);
  expect(tokens.map(({ index }) => index)).toEqual(tokens.map((_, at) => at + 1));
  for (const { word, start, end } of tokens) expect(text.slice(start, end).toLowerCase()).toBe(word.replace(/^##/, ""));
  expect(tokens.at(-1)?.end).toBe(text.trimEnd().length);
  await model.dispose();
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
