import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Failure } from "../../../shared/base/failure.ts";
import { failsAfter, PROMPT_TOKENS_MAX } from "../../../test/harness/generation-double.ts";
import { GENERATE, type Serving, startServing } from "../../../test/harness/serving.ts";
import { GENERATED_TOKENS_MAX } from "../../limits.ts";

let weir: Serving;
beforeAll(async () => {
  weir = await startServing();
});
afterAll(() => weir.close());
beforeEach(async () => {
  weir.model.generations.length = 0;
  await weir.newRows();
});

const user = (content: unknown) => [{ role: "user", content }];
const chat = (more: object) => weir.post("/v1/chat/completions", { model: "smol", messages: user("hi"), ...more });
const complete = (more: object) => weir.post("/v1/completions", { model: "smol", prompt: "hi", ...more });

/** 400 in OpenAI's form with the parameter's name, or that of something in it; no work and no row. */
async function expectRefusal(answer: Response, field: string) {
  const param = expect.stringMatching(new RegExp(`^${field}(\\.|$)`));
  const text = await answer.text();
  expect({ status: answer.status, text }).toMatchObject({ status: 400 });
  expect(JSON.parse(text)).toMatchObject({ error: { type: "invalid_request_error", code: "invalid_request", param } });
  expect(weir.model.generations).toEqual([]);
  expect(await weir.newRows()).toEqual([]);
}

const OF_BOTH: [field: string, value: unknown][] = [
  ["temperature", -0.01],
  ["temperature", 2.01],
  ["temperature", "1"],
  ["top_p", 1.1],
  ["top_p", -1],
  ["n", 0],
  ["n", 129],
  ["n", 1.5],
  ["seed", 1.5],
  ["presence_penalty", 2.1],
  ["frequency_penalty", -2.1],
  ["stop", ""],
  ["stop", ["1", "2", "3", "4", "5"]],
  ["stop", ["\ud800"]],
  ["stop", "x".repeat(257)],
  ["max_tokens", 0],
  ["max_tokens", -1],
  ["max_tokens", 1.5],
  ["max_tokens", GENERATED_TOKENS_MAX + 1],
  ["top_k", -2],
  ["min_p", 1.1],
  ["repetition_penalty", 0],
  ["logit_bias", { the: 1 }],
  ["logit_bias", { "-1": 1 }],
  ["logit_bias", []],
  ["logit_bias", Object.fromEntries(Array.from({ length: 1_025 }, (_, id) => [id, 1]))],
  ["stream", "yes"],
  ["stream_options", { include_usage: true }],
];

test.each(OF_BOTH)("%s: %j is refused by both", async (field, value) => {
  await expectRefusal(await chat({ [field]: value }), field);
  await expectRefusal(await complete({ [field]: value }), field);
});

test.each<[field: string, value: unknown]>([
  ["max_completion_tokens", 0],
  ["logprobs", 1],
  ["top_logprobs", 2],
  ["tools", [{ type: "function", function: { name: "f" } }]],
  ["tool_choice", "required"],
  ["tool_choice", { type: "function", function: { name: "f" } }],
  ["functions", [{ name: "f" }]],
  ["function_call", { name: "f" }],
  ["audio", { voice: "alloy", format: "mp3" }],
  ["web_search_options", {}],
  ["messages", []],
  ["messages", "hi"],
  ["messages", undefined],
  ["response_format", { type: "grammar" }],
  ["response_format", "json"],
  ["response_format", { type: "json_schema" }],
  ["response_format", { type: "json_schema", json_schema: { name: "x", schema: "string" } }],
  ["response_format", { type: "json_schema", json_schema: { name: "x", schema: { type: "string", pattern: "a*" } } }],
])("%s: %j is refused by a chat", async (field, value) => {
  await expectRefusal(await chat({ [field]: value }), field);
});

test.each<[words: string, messages: unknown, param: string]>([
  ["a role that nobody knows", [{ role: "robot", content: "x" }], "messages.0.role"],
  ["half of a surrogate pair", user("a\ud800"), "messages.0.content"],
  ["an image", user([{ type: "image_url", image_url: { url: "data:" } }]), "messages.0.content"],
  ["no parts", user([]), "messages.0.content"],
  ["a call of a tool", [...user("hi"), { role: "assistant", content: null, tool_calls: [{ id: "1" }] }], "messages.1.tool_calls"],
])("%s in a conversation is refused", async (_, messages, param) => {
  await expectRefusal(await chat({ messages }), param);
});

test.each<[field: string, value: unknown]>([
  ["prompt", undefined],
  ["prompt", []],
  ["prompt", [[]]],
  ["prompt", [1, "a"]],
  ["prompt", ["a", [1]]],
  ["prompt", [-1]],
  ["prompt", [2 ** 31]],
  ["prompt", [1.5]],
  ["prompt", "a\ud800"],
  ["prompt", new Array(129).fill("x")],
  ["logprobs", 6],
  ["logprobs", true],
  ["best_of", 2],
  ["suffix", "end"],
])("%s: %j is refused by a completion", async (field, value) => {
  await expectRefusal(await complete({ [field]: value }), field);
});

test("prompts times n, and that times tokens, are bounded; what nobody states is cut to its share", async () => {
  await weir.addVersion("wide", { facts: { ...GENERATE, tokensMax: GENERATED_TOKENS_MAX } });

  await expectRefusal(await complete({ prompt: new Array(13).fill("x"), n: 10 }), "n");
  await expectRefusal(await complete({ n: 128, max_tokens: GENERATED_TOKENS_MAX / 128 + 1 }), "max_tokens");
  await expectRefusal(await chat({ n: 128, max_completion_tokens: GENERATED_TOKENS_MAX / 128 + 1 }), "max_completion_tokens");
  expect((await chat({ model: "wide", n: 64 })).status).toBe(200);

  expect(weir.model.generations.at(-1)?.body.maxTokens).toBe(GENERATED_TOKENS_MAX / 64);
});

test("what the engine refuses keeps its words and its field: too long a prompt, a model without a template", async () => {
  const tooLong = await complete({ prompt: "word ".repeat(PROMPT_TOKENS_MAX + 1).trim(), stream: true });
  weir.model.nextGeneration(
    failsAfter(new Failure("invalid_request", "The model has no template for conversations.", { field: "messages" })),
  );
  const untold = await chat({});

  expect(tooLong.status).toBe(400);
  expect(await tooLong.json()).toMatchObject({ error: { param: "prompt.0", message: `prompt.0: has 65 tokens, the model reads 64` } });
  expect(untold.status).toBe(400);
  expect(await untold.json()).toMatchObject({ error: { param: "messages", message: "The model has no template for conversations." } });
  expect(await weir.newRows()).toEqual([]);
});

test("a model that does not generate says so before it reads the rest", async () => {
  await expectRefusal(await complete({ model: "minilm", prompt: 7 }), "model");
  await expectRefusal(await chat({ model: "sentiment", stream: true }), "model");
});

test("odd text is text: control characters, a byte order mark, right-to-left and combining marks, special tokens", async () => {
  const odd = "\u0000\ufeffא\u0301e\u0301 <|im_start|>system 👩‍👩‍👧 \u202e";

  expect((await chat({ messages: user(odd) })).status).toBe(200);
  expect((await complete({ prompt: odd })).status).toBe(200);

  expect(weir.model.generations.map(({ body }) => body.prompts)).toEqual([
    [{ kind: "chat", messages: user(odd) }],
    [{ kind: "text", text: odd }],
  ]);
});
