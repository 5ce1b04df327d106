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
  ["tiny-bert-embed", { padId: 0, firstPosition: 0, poolings: ["mean"], isNormalized: true, vocabSize: 1200, typeCount: 2 }],
  ["tiny-roberta-embed-cls", { padId: 1, firstPosition: 2, poolings: ["cls"], isNormalized: false, vocabSize: 1100, typeCount: 1 }],
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

describe("a decoder", () => {
  test("is run as its files say", async () => {
    const { settings } = await readModelFiles(join(MODELS, "tiny-gpt2"));

    expect(settings).toMatchObject({
      contextTokensMax: 128,
      decoder: { layers: 2, heads: 4, keyValueHeads: 4, headDim: 12 },
      generation: { bosId: 0, eosIds: [0], padId: 0, samples: false },
      chatTemplate: undefined,
      maskToken: undefined,
      continuingPrefix: undefined,
    });
  });

  test("has several ends and a manner of its own where generation_config.json says so, before config.json", async () => {
    const folder = await changed("tiny-gpt2", {
      "config.json": { num_key_value_heads: 2, head_dim: 16, pad_token_id: -1, temperature: 0.9, n_positions: null, n_ctx: 100 },
      "generation_config.json": { eos_token_id: [7, 8], do_sample: true, temperature: 0.6, top_k: 20, top_p: 0.9, repetition_penalty: 1.1 },
    });

    const { settings } = await readModelFiles(folder);
    expect(settings.generation).toMatchObject({
      eosIds: [7, 8],
      padId: 7,
      samples: true,
      temperature: 0.6,
      topK: 20,
      topP: 0.9,
      repetitionPenalty: 1.1,
    });
    expect(settings).toMatchObject({ contextTokensMax: 100, decoder: { keyValueHeads: 2, headDim: 16 } });
  });

  test("ends where its tokenizer does, if nothing else is said", async () => {
    const folder = await changed("tiny-gpt2", { "config.json": { eos_token_id: null }, "generation_config.json": { eos_token_id: null } });

    expect((await readModelFiles(folder)).settings.generation.eosIds).toEqual([0]);
  });

  test("ends where an older folder's map of special tokens says so, if nothing else does", async () => {
    const folder = await changed("tiny-gpt2", {
      "config.json": { bos_token_id: null, eos_token_id: null },
      "generation_config.json": { bos_token_id: null, eos_token_id: null },
      "tokenizer_config.json": { bos_token: null, eos_token: null },
      "special_tokens_map.json": { bos_token: "<|endoftext|>", eos_token: { content: "<|endoftext|>", lstrip: false } },
    });

    expect((await readModelFiles(folder)).settings.generation).toMatchObject({ bosId: 0, eosIds: [0] });
  });
});

describe("padding", () => {
  test("is the map's token, looked for in the vocabulary too, where the configuration names no id", async () => {
    const folder = await changed("tiny-roberta-embed-cls", {
      "config.json": { pad_token_id: null },
      "tokenizer_config.json": { pad_token: null },
      "tokenizer.json": { added_tokens: [] },
      "special_tokens_map.json": { pad_token: "<pad>" },
    });

    expect((await readModelFiles(folder)).settings).toMatchObject({ padId: 1, isPadKnown: false });
  });

  test.each([
    [-1, false],
    [0, true],
    [1_199, true],
    [1_200, false],
    [null, false],
  ])("is known to the graph if the configuration's id, %s, is one of its vocabulary", async (id, isPadKnown) => {
    const folder = await changed("tiny-bert-embed", { "config.json": { pad_token_id: id } });

    expect((await readModelFiles(folder)).settings).toMatchObject({ isPadKnown, padId: isPadKnown ? id : 0 });
  });
});

test.each([
  ["a text", { chat_template: "A" }, "A"],
  [
    "several, of which one is the default",
    {
      chat_template: [
        { name: "tools", template: "B" },
        { name: "default", template: "C" },
      ],
    },
    "C",
  ],
  ["several without a default", { chat_template: [{ name: "tools", template: "B" }] }, undefined],
])("the chat template may be %s", async (_, config, template) => {
  expect((await readModelFiles(await changed("tiny-gpt2", { "tokenizer_config.json": config }))).settings.chatTemplate).toBe(template);
});

test("the chat template's own file comes first, and has a limit", async () => {
  const folder = await changed("tiny-gpt2", { "tokenizer_config.json": { chat_template: "A" } });
  await writeFile(join(folder, "chat_template.jinja"), "file");
  expect((await readModelFiles(folder)).settings.chatTemplate).toBe("file");

  await writeFile(join(folder, "chat_template.jinja"), "x".repeat(1024 ** 2 + 1));
  await expect(readModelFiles(folder)).rejects.toMatchObject({ code: "invalid_request", field: "chat_template.jinja" });
});

test("special tokens, the mask and the continuing prefix are found, the mask even where it is not named", async () => {
  const named = await changed("tiny-bert-sentiment", {
    "tokenizer_config.json": { mask_token: { content: "[MASK]" }, split_special_tokens: true },
    "special_tokens_map.json": { bos_token: { content: "[CLS]" } },
  });
  const unnamed = await changed("tiny-bert-sentiment", { "tokenizer_config.json": { mask_token: null } });

  expect((await readModelFiles(named)).settings).toMatchObject({
    maskToken: "[MASK]",
    maskId: 4,
    continuingPrefix: "##",
    splitsSpecialTokens: true,
    specialTokens: { bos_token: "[CLS]", cls_token: "[CLS]", mask_token: "[MASK]" },
  });
  expect((await readModelFiles(unnamed)).settings).toMatchObject({ maskToken: "[MASK]", maskId: 4, splitsSpecialTokens: false });
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
