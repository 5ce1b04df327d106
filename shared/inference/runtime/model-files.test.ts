import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { readModelFiles } from "./model-files.ts";

const MODELS = fileURLToPath(new URL("../../../test/fixtures/models/", import.meta.url));

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

describe("the longest input", () => {
  test.each([
    ["the sentence-transformers file says less than tokenizer and positions", "tiny-bert-embed", {}, 48],
    ["RoBERTa's positions start after its padding id", "tiny-roberta-nli", { "tokenizer_config.json": { model_max_length: 1e30 } }, 64],
    ["BERT uses all of its positions", "tiny-bert-sentiment", { "tokenizer_config.json": { model_max_length: 1e30 } }, 64],
    ["the tokenizer says less than the positions", "tiny-bert-sentiment", { "tokenizer_config.json": { model_max_length: 20 } }, 20],
    [
      "nothing is said",
      "tiny-bert-sentiment",
      { "config.json": { max_position_embeddings: null }, "tokenizer_config.json": { model_max_length: null } },
      512,
    ],
  ])("%s", async (_, name, changes, tokensMax) => {
    const { settings } = await readModelFiles(await changed(name, changes));

    expect(settings.tokensMax).toBe(tokensMax);
  });
});

test.each([
  ["tiny-bert-embed", { padId: 0, poolings: ["mean"], isNormalized: true, vocabSize: 1200, typeCount: 2 }],
  ["tiny-roberta-embed-cls", { padId: 1, poolings: ["cls"], isNormalized: false, vocabSize: 1100, typeCount: 1 }],
  ["tiny-electra-embed-max", { padId: 0, poolings: ["max"], isNormalized: true }],
  ["tiny-albert-regression", { labels: ["stars"], classifyFunction: "none" }],
  ["tiny-bert-toxic", { labels: ["toxic", "insult", "threat"], classifyFunction: "sigmoid" }],
  ["tiny-bert-rerank", { labels: ["LABEL_0"], classifyFunction: undefined }],
])("%s is run as its files say", async (name, expected) => {
  expect((await readModelFiles(join(MODELS, name))).settings).toMatchObject(expected);
});

test("several poolings are joined in sentence-transformers' order", async () => {
  const folder = await changed("tiny-bert-embed", {
    "1_Pooling/config.json": { pooling_mode_cls_token: true, pooling_mode_lasttoken: true },
  });

  expect((await readModelFiles(folder)).settings.poolings).toEqual(["cls", "mean", "lasttoken"]);
});

test("a default prompt is put before every text", async () => {
  const folder = await changed("tiny-bert-embed", {
    "config_sentence_transformers.json": { prompts: { query: "query: " }, default_prompt_name: "query" },
  });

  expect((await readModelFiles(folder)).settings.prompt).toBe("query: ");
});

test.each([
  ["config.json", { model_type: 7 }, /config.json: model_type/],
  ["config.json", { id2label: { "0": "a", "2": "b" } }, /id2label has 2 labels and none for 1/],
  ["1_Pooling/config.json", { pooling_mode_mean_tokens: false }, /chooses no pooling/],
  ["modules.json", { length: 1 }, /modules.json/],
])("%s with %j is refused with the file's name", async (path, change, reason) => {
  await expect(readModelFiles(await changed("tiny-bert-embed", { [path]: change }))).rejects.toThrow(reason);
});

test("a missing tokenizer and a broken configuration are refused", async () => {
  const [missing, broken] = [await changed("tiny-bert-embed", {}), await changed("tiny-bert-embed", {})];
  await rm(join(missing, "tokenizer.json"));
  await writeFile(join(broken, "config.json"), "{");

  await expect(readModelFiles(missing)).rejects.toMatchObject({ code: "invalid_request", field: "tokenizer.json" });
  await expect(readModelFiles(broken)).rejects.toMatchObject({ code: "invalid_request", field: "config.json" });
});

async function changed(name: string, changes: Record<string, object>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "weir-model-"));
  folders.push(folder);
  await cp(join(MODELS, name), folder, { recursive: true, filter: (path) => !path.endsWith(".onnx") });
  for (const [path, change] of Object.entries(changes)) {
    const before = await readFile(join(folder, path), "utf8").catch(() => "{}");
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), JSON.stringify({ ...JSON.parse(before), ...change }));
  }
  return folder;
}
