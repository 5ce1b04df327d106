import { InferenceClient } from "@huggingface/inference";
import OpenAI from "openai";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { hangsAfter } from "../../../test/harness/generation-double.ts";
import { type Serving, startServing } from "../../../test/harness/serving.ts";
import { ChatCompletion } from "./chat-answer.ts";
import { Completion } from "./completion-answer.ts";

let weir: Serving;
let client: OpenAI;
beforeAll(async () => {
  weir = await startServing();
  client = new OpenAI({ baseURL: `${weir.url}/v1`, apiKey: weir.key, maxRetries: 0 });
});
afterAll(() => weir.close());
beforeEach(async () => {
  weir.model.generations.length = 0;
  await weir.newRows();
});

const messages = [{ role: "user" as const, content: "what does a weir do" }];

/** What the pool was asked the last time. */
const asked = () => weir.model.generations.at(-1)?.body;

/** Of a minute, what is left for generating a whole answer. */
const withinMs = 58_000;

test("a chat has OpenAI's exact form", async () => {
  const { data, response } = await client.chat.completions.create({ model: "smol", messages }).withResponse();

  expect(ChatCompletion.strict().parse(data)).toEqual({
    id: `chatcmpl-${response.headers.get("weir-request-id")}`,
    object: "chat.completion",
    created: Math.floor(weir.clock.nowMs() / 1000),
    model: "smol@1",
    system_fingerprint: "smol@1/fp32",
    choices: [
      { index: 0, message: { role: "assistant", content: expect.any(String), refusal: null }, logprobs: null, finish_reason: "stop" },
    ],
    usage: { prompt_tokens: 6, completion_tokens: 6, total_tokens: 12 },
  });
  expect(data.choices[0]?.message.content?.split(" ")).toHaveLength(6);
});

test("a completion has OpenAI's exact form, and 16 tokens unless more are asked for", async () => {
  const answer = await client.completions.create({ model: "smol@1", prompt: "a weir" });

  expect(Completion.strict().parse(answer)).toMatchObject({
    id: expect.stringMatching(/^cmpl-/),
    object: "text_completion",
    model: "smol@1",
    choices: [{ index: 0, text: expect.any(String), logprobs: null, finish_reason: "stop" }],
    usage: { prompt_tokens: 2, completion_tokens: 6, total_tokens: 8 },
  });
  expect(asked()).toEqual({
    task: "generate",
    prompts: [{ kind: "text", text: "a weir" }],
    n: 1,
    maxTokens: 16,
    sampling: {},
    stop: [],
    withinMs,
  });
});

test("prompts may be a text, texts, token ids or lists of them", async () => {
  const promptsOf = async (prompt: string | string[] | number[] | number[][]) => {
    const { choices } = await client.completions.create({ model: "smol", prompt, n: 2 });
    expect(choices.map(({ index }) => index)).toEqual(choices.map((_, index) => index));
    return { prompts: asked()?.prompts, choices: choices.length };
  };

  expect(await promptsOf("a")).toEqual({ prompts: [{ kind: "text", text: "a" }], choices: 2 });
  expect(await promptsOf(["a", "b"])).toMatchObject({ prompts: [{ text: "a" }, { text: "b" }], choices: 4 });
  expect(await promptsOf([5, 0])).toEqual({ prompts: [{ kind: "tokens", tokenIds: [5, 0] }], choices: 2 });
  expect(await promptsOf([[5], [6, 7]])).toMatchObject({ prompts: [{ tokenIds: [5] }, { tokenIds: [6, 7] }], choices: 4 });
});

test("every parameter reaches the pool, and null says nothing", async () => {
  const sampling = { temperature: 0, top_p: 0.5, seed: -7, presence_penalty: -2, frequency_penalty: 2, logit_bias: { "11": -100 } };
  const more = { top_k: 40, min_p: 0.1, repetition_penalty: 1.1 };

  await client.chat.completions.create({ model: "smol", messages, ...sampling, ...more, n: 3, stop: "x", max_completion_tokens: 5 });

  expect(asked()).toEqual({
    task: "generate",
    prompts: [{ kind: "chat", messages }],
    n: 3,
    maxTokens: 5,
    sampling: {
      ...{ temperature: 0, topP: 0.5, topK: 40, minP: 0.1, repetitionPenalty: 1.1, presencePenalty: -2, frequencyPenalty: 2 },
      ...{ logitBias: { "11": -100 }, seed: -7 },
    },
    withinMs,
    stop: ["x"],
  });
  const nulls = Object.fromEntries(
    [...Object.keys({ ...sampling, ...more }), "n", "stop", "max_tokens", "logprobs", "tools"].map((name) => [name, null]),
  );
  expect((await weir.post("/v1/chat/completions", { model: "smol", messages, ...nulls, top_k: -1 })).status).toBe(200);
  expect(asked()).toEqual({ task: "generate", prompts: [{ kind: "chat", messages }], n: 1, sampling: {}, stop: [], withinMs });
});

test("what neither we nor the model know is ignored, as OpenAI's compatible servers do", async () => {
  const unknown = {
    store: true,
    metadata: { a: "b" },
    service_tier: "auto",
    parallel_tool_calls: true,
    whatever: 1,
    tools: [],
    tool_choice: "none",
  };

  expect((await weir.post("/v1/chat/completions", { model: "smol", messages, ...unknown })).status).toBe(200);
});

test("roles and parts of a conversation become what templates know", async () => {
  await client.chat.completions.create({
    model: "smol",
    messages: [
      { role: "developer", content: "be brief" },
      {
        role: "system",
        content: [
          { type: "text", text: "one" },
          { type: "text", text: "two" },
        ],
      },
      { role: "user", content: "hi", name: "ann" },
      { role: "assistant", content: null },
      { role: "tool", content: "", tool_call_id: "1" },
    ],
  });

  expect(asked()?.prompts).toEqual([
    {
      kind: "chat",
      messages: [
        { role: "system", content: "be brief" },
        { role: "system", content: "one\ntwo" },
        { role: "user", content: "hi", name: "ann" },
        { role: "assistant", content: "" },
        { role: "tool", content: "" },
      ],
    },
  ]);
});

test("why a choice ended is told: its own end or a stop text, or the limit of tokens", async () => {
  const whole = await client.completions.create({ model: "smol", prompt: "a weir", seed: 3 });
  const [, second = ""] = (whole.choices[0]?.text ?? "").split(" ");

  const cut = await client.completions.create({ model: "smol", prompt: "a weir", seed: 3, max_tokens: 2 });
  const stopped = await client.completions.create({ model: "smol", prompt: "a weir", seed: 3, stop: ["nothing", second] });

  expect([whole.choices[0]?.finish_reason, cut.choices[0]?.finish_reason, stopped.choices[0]?.finish_reason]).toEqual([
    "stop",
    "length",
    "stop",
  ]);
  expect(cut.usage?.completion_tokens).toBe(2);
  expect(stopped.choices[0]?.text).not.toContain(second);
});

test("a chat's stream gives the role, then contents, then why it ended, then usage for who asked", async () => {
  const whole = await client.chat.completions.create({ model: "smol", messages, seed: 5 });
  const stream = await client.chat.completions.create({
    model: "smol",
    messages,
    seed: 5,
    stream: true,
    stream_options: { include_usage: true },
  });

  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);

  const [first, ...rest] = chunks;
  const [usage, finish, ...contents] = rest.toReversed();
  expect(first?.choices).toEqual([{ index: 0, delta: { role: "assistant", content: "" }, logprobs: null, finish_reason: null }]);
  expect(
    contents
      .toReversed()
      .map((chunk) => chunk.choices[0]?.delta.content)
      .join(""),
  ).toBe(whole.choices[0]?.message.content);
  expect(finish?.choices).toEqual([{ index: 0, delta: {}, logprobs: null, finish_reason: "stop" }]);
  expect(usage).toMatchObject({ choices: [], usage: whole.usage });
  expect(chunks.slice(0, -1).every((chunk) => chunk.usage === null)).toBe(true);
  expect(new Set(chunks.map(({ id, object, model, system_fingerprint }) => [id, object, model, system_fingerprint].join())).size).toBe(1);
  expect(first).toMatchObject({ id: expect.stringMatching(/^chatcmpl-/), object: "chat.completion.chunk", model: "smol@1" });
});

test("a stream without include_usage has no usage anywhere, and ends with [DONE]", async () => {
  const text = await (await weir.post("/v1/completions", { model: "smol", prompt: "x", stream: true })).text();

  expect(text).not.toContain("usage");
  expect(text.endsWith("\n\ndata: [DONE]\n\n")).toBe(true);
});

test("the client's own accumulator reads several choices of a stream", async () => {
  const whole = await client.chat.completions.create({ model: "smol", messages, n: 3 });

  const streamed = await client.chat.completions.stream({ model: "smol", messages, n: 3 }).finalChatCompletion();

  const textsOf = (choices: { message: { content: string | null } }[]) => choices.map(({ message }) => message.content);
  expect(textsOf(streamed.choices)).toEqual(textsOf(whole.choices));
  expect(new Set(textsOf(whole.choices)).size).toBe(3);
});

test("a stream of completions gives the same texts as a whole one, prompt by prompt", async () => {
  const request = { model: "smol", prompt: ["one", "two"], n: 2, echo: true };
  const whole = await client.completions.create(request);

  const texts = ["", "", "", ""];
  for await (const { choices } of await client.completions.create({ ...request, stream: true })) {
    for (const { index, text } of choices) texts[index] += text;
  }

  expect(texts).toEqual(whole.choices.map(({ text }) => text));
  expect(texts.map((text) => text.split(" ")[0]?.slice(0, 3))).toEqual(["one", "one", "two", "two"]);
});

test("a chat's log-probabilities have their form, streamed or not", async () => {
  const request = { model: "smol", messages, logprobs: true, top_logprobs: 2, max_tokens: 2 };

  const { choices } = await client.chat.completions.create(request);
  const streamed = await client.chat.completions.stream(request).finalChatCompletion();

  const [content] = choices[0]?.logprobs?.content ?? [];
  expect(content).toEqual({
    token: choices[0]?.message.content?.split(" ")[0],
    logprob: -0.1,
    bytes: [...Buffer.from(content?.token ?? "")],
    top_logprobs: [{ token: content?.token, logprob: -0.1, bytes: content?.bytes }, expect.objectContaining({ logprob: -0.2 })],
  });
  expect(streamed.choices[0]?.logprobs?.content).toEqual(choices[0]?.logprobs?.content);
});

test("a completion's log-probabilities point into its text, the echoed prompt's too, streamed or not", async () => {
  const request = { model: "smol", prompt: "a weir", logprobs: 1, max_tokens: 2, echo: true };

  const { choices } = await client.completions.create(request);
  const offsets: number[] = [];
  for await (const chunk of await client.completions.create({ ...request, stream: true })) {
    offsets.push(...(chunk.choices[0]?.logprobs?.text_offset ?? []));
  }

  const [choice] = choices;
  const { tokens = [], token_logprobs, top_logprobs, text_offset = [] } = choice?.logprobs ?? {};
  expect(tokens).toHaveLength(4);
  expect(tokens.map((token, index) => choice?.text.startsWith(token, text_offset[index]))).toEqual([true, true, true, true]);
  expect(token_logprobs).toEqual([null, -0.1, -0.1, -0.1]);
  expect(top_logprobs).toEqual([null, ...tokens.slice(1).map((token) => ({ [token]: -0.1 }))]);
  expect(offsets).toEqual(text_offset);
});

test("no new tokens and an echo score the prompt alone", async () => {
  const { choices, usage } = await client.completions.create({ model: "smol", prompt: "a weir", max_tokens: 0, echo: true, logprobs: 0 });

  expect(choices).toMatchObject([{ text: "a weir", finish_reason: "length", logprobs: { tokens: ["a", " weir"], top_logprobs: null } }]);
  expect(usage).toEqual({ prompt_tokens: 2, completion_tokens: 0, total_tokens: 2 });
});

test("a client that aborts ends the generation, and pays what it has read", async () => {
  let signal: AbortSignal | undefined;
  weir.model.nextGeneration((call, limits) => {
    signal = limits.signal;
    return hangsAfter({ kind: "begun", inputTokens: [6] }, { kind: "text", choice: 0, text: "a", tokens: 1 })(call, limits);
  });
  const stream = await client.chat.completions.create({ model: "smol", messages, stream: true });
  for await (const chunk of stream) if (chunk.choices[0]?.delta.content === "a") break; // leaving the loop aborts

  await expect.poll(() => signal?.aborted).toBe(true);
  await expect.poll(() => weir.newRows()).toMatchObject([{ oc: "cancelled", ti: "6", to: "1" }]);
});

test("below a model's path the body's model is not read, and the row says the dialect", async () => {
  const answer = await weir.post("/hf/smol/v1/chat/completions", { model: "tgi", messages, user: "u" });

  expect(await answer.json()).toMatchObject({ object: "chat.completion", model: "smol@1" });
  expect(await weir.newRows()).toMatchObject([{ di: "hf", ta: "generate", mo: "smol" }]);
});

test("the Hugging Face client's chat reads our own models, whole and streamed", async () => {
  const huggingFace = new InferenceClient(weir.key);
  const request = { endpointUrl: `${weir.url}/hf/smol`, messages, max_tokens: 4, seed: 2 };

  const whole = await huggingFace.chatCompletion(request);
  let streamed = "";
  for await (const chunk of huggingFace.chatCompletionStream(request)) streamed += chunk.choices[0]?.delta.content ?? "";

  expect(whole.choices[0]).toMatchObject({ finish_reason: "length" });
  expect(streamed).toBe(whole.choices[0]?.message.content);
});
