import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Failure } from "../../../shared/base/failure.ts";
import { failsAfter, gives } from "../../../test/harness/generation-double.ts";
import { type Serving, startServing } from "../../../test/harness/serving.ts";

let weir: Serving;
beforeAll(async () => {
  weir = await startServing();
});
afterAll(() => weir.close());
beforeEach(async () => {
  weir.model.generations.length = 0;
  await weir.newRows();
});

const generate = (body: unknown, model = "smol") => weir.post(`/v2/models/${model}/generate`, body);
const stream = (body: unknown, model = "smol") => weir.post(`/v2/models/${model}/generate_stream`, body);

type Event = { text_output?: string; error?: string; details?: { finish_reason?: string; token?: { id: number } } };

async function eventsOf(answer: Response): Promise<Event[]> {
  const events = (await answer.text()).trim().split("\n\n");
  return events.filter((event) => event.startsWith("data: ")).map((event) => JSON.parse(event.slice("data: ".length)));
}

test("a text is continued, named as the caller wants, and metered", async () => {
  const answer = await generate({ id: "mine", text_input: "a weir", parameters: { max_tokens: 3, temperature: 0 } });

  expect(await answer.json()).toEqual({
    id: "mine",
    model_name: "smol",
    model_version: "1",
    text_output: expect.stringMatching(/^\S+ \S+ \S+$/),
  });
  expect(answer.headers.get("weir-model")).toBe("smol@1");
  expect(await weir.newRows()).toMatchObject([{ di: "oip", ta: "generate", q: "1", ti: "2", to: "3" }]);
});

test("parameters reach the model, and 20 tokens are the protocol's default", async () => {
  const parameters = { temperature: 0.5, top_p: 0.9, top_k: 5, stop: ["\n"], seed: 7, repetition_penalty: 1.1, stream: false, priority: 1 };
  await generate({ text_input: "x", parameters });
  await generate({ text_input: "x", parameters: { max_tokens: 7, stop: "end", details: true } });

  expect(weir.model.generations.map(({ body }) => body)).toEqual([
    {
      ...{ task: "generate", prompts: [{ kind: "text", text: "x" }], n: 1, maxTokens: 20, stop: ["\n"], withinMs: 58_000 },
      sampling: { temperature: 0.5, topP: 0.9, topK: 5, seed: 7, repetitionPenalty: 1.1 },
    },
    expect.objectContaining({ maxTokens: 7, stop: ["end"], topLogprobs: 0 }),
  ]);
});

test("details say why it ended, and how likely each token was", async () => {
  const whole = await generate({ text_input: "x", parameters: { details: true } });
  const cut = await generate({ text_input: "x", parameters: { details: true, max_tokens: 1 } });
  weir.model.nextGeneration(
    gives(
      { kind: "begun", inputTokens: [1] },
      { kind: "finished", choice: 0, finish: { reason: "stop", stopText: "." } },
      { kind: "done", outputTokens: [1], queueMs: 0, runMs: 1 },
    ),
  );
  const stopped = await generate({ text_input: "x", parameters: { details: true } });

  expect(await whole.json()).toMatchObject({ details: { finish_reason: "eos_token", logprobs: expect.objectContaining({ length: 6 }) } });
  expect(await cut.json()).toMatchObject({ details: { finish_reason: "length", logprobs: [{ id: expect.any(Number), logprob: -0.1 }] } });
  expect(await stopped.json()).toMatchObject({ text_output: "", details: { finish_reason: "stop_sequence" } });
});

test("a stream brings the same text in pieces, and ends with the reason once it is metered", async () => {
  const { text_output: whole } = (await (await generate({ text_input: "a weir" })).json()) as Event; // as the protocol says
  await weir.newRows();

  const answer = await stream({ text_input: "a weir", parameters: { details: true } });

  expect(answer.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
  const events = await eventsOf(answer);
  expect(events.map(({ text_output }) => text_output).join("")).toBe(whole);
  expect(events.map(({ details }) => details?.finish_reason)).toEqual([...Array(6), "eos_token"]);
  expect(events[0]?.details?.token).toEqual({ id: expect.any(Number), text: expect.any(String), logprob: -0.1 });
  expect(await weir.newRows()).toMatchObject([{ di: "oip", ta: "generate", to: "6" }]);
});

test("what fails before the first event has a status, and what fails later is said in-band", async () => {
  const broken = new Failure("engine_failed", "The engine broke.");
  weir.model.nextGeneration(failsAfter(broken));
  const early = await stream({ text_input: "x" });
  weir.model.nextGeneration(failsAfter(broken, { kind: "begun", inputTokens: [1] }, { kind: "text", choice: 0, text: "a", tokens: 1 }));
  const late = await stream({ text_input: "x" });

  expect([early.status, await early.json()]).toEqual([502, { error: "The engine broke." }]);
  expect(late.status).toBe(200);
  expect(await eventsOf(late)).toEqual([expect.objectContaining({ text_output: "a" }), { error: "The engine broke." }]);
});

const refusals: [message: RegExp, body: unknown, model?: string][] = [
  [/^text_input: /, {}],
  [/^text_input: holds half of a surrogate pair/, { text_input: "\ud800" }],
  [/^parameters\.max_tokens: /, { text_input: "x", parameters: { max_tokens: 0 } }],
  [/^parameters\.max_tokens: .*65536/, { text_input: "x", parameters: { max_tokens: 1e6 } }],
  [/^parameters\.temperature: /, { text_input: "x", parameters: { temperature: -1 } }],
  [/^parameters\.top_p: /, { text_input: "x", parameters: { top_p: 2 } }],
  [/^parameters\.n: is not a parameter/, { text_input: "x", parameters: { n: 2 } }],
  [/^parameters\.bad_words: is not a parameter/, { text_input: "x", parameters: { bad_words: [] } }],
  [/^text_input: has 65 tokens/, { text_input: "x ".repeat(64) }],
  [/does .*'embed'.*, not 'generate'/, { text_input: "x" }, "minilm"],
];

test.each(refusals)("what is refused with %s meters nothing, streamed or not", async (message, body, model) => {
  for (const ask of [generate, stream]) {
    const answer = await ask(body, model);

    expect([answer.status, await answer.json()]).toEqual([400, { error: expect.stringMatching(message) }]);
  }
  expect(await weir.newRows()).toEqual([]);
});
