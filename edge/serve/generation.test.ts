import { expect, test } from "vitest";
import type { GenerateEvent, GenerateRequest, TokenLogprob } from "../../shared/inference/generation.ts";
import { GATHERED_CHARS_MAX } from "../limits.ts";
import { gather, progressOf } from "./generation.ts";

const REQUEST: GenerateRequest = { task: "generate", prompts: [{ kind: "text", text: "x" }], n: 2, sampling: {}, stop: [] };

const begun: GenerateEvent = { kind: "begun", inputTokens: [3] };
const text = (choice: number, said: string, tokens = 1): GenerateEvent => ({ kind: "text", choice, text: said, tokens });
const finished = (choice: number): GenerateEvent => ({ kind: "finished", choice, finish: { reason: "stop" } });
const done: GenerateEvent = { kind: "done", outputTokens: [2, 1], queueMs: 1, runMs: 5 };

async function gathered(...events: GenerateEvent[]) {
  const progress = progressOf(REQUEST);
  async function* source() {
    yield* events;
  }
  return { generation: await gather(source(), progress), progress };
}

test("pieces of choices that take turns become each choice's text", async () => {
  const { generation, progress } = await gathered(begun, text(1, "y"), text(0, "a"), finished(1), text(0, "b"), finished(0), done);

  expect(generation.choices.map((choice) => choice.text)).toEqual(["ab", "y"]);
  expect(generation).toMatchObject({ inputTokens: [3], outputTokens: [2, 1] });
  expect(progress.runMs).toBe(5);
});

test.each<[words: string, events: GenerateEvent[]]>([
  ["a text before the beginning", [text(0, "a")]],
  ["two beginnings", [begun, begun]],
  ["a choice that nobody asked for", [begun, text(2, "a")]],
  ["a choice below zero", [begun, finished(-1)]],
  ["a text after its end", [begun, finished(0), text(0, "a")]],
  ["two ends of one choice", [begun, finished(0), finished(0)]],
  ["done with a choice that has not finished", [begun, finished(0), done]],
  ["done with too few counts", [begun, finished(0), finished(1), { kind: "done", outputTokens: [1], queueMs: 0, runMs: 0 }]],
  ["no end", [begun, finished(0), finished(1)]],
  ["nothing", []],
])("%s is the engine's fault", async (_, events) => {
  await expect(gathered(...events)).rejects.toMatchObject({ code: "engine_failed" });
});

test("an answer that is too large for one piece is refused, and log-probabilities count", async () => {
  const half = "x".repeat(GATHERED_CHARS_MAX / 2);
  const scored: TokenLogprob = { token: 1, text: "x", bytes: [120], logprob: -1, top: [] };
  const logprobs = new Array<TokenLogprob>(1_000).fill(scored);

  expect((await gathered(begun, text(0, half), text(0, half), finished(0), finished(1), done)).generation.choices[0]?.text).toHaveLength(
    GATHERED_CHARS_MAX,
  );
  await expect(gathered(begun, text(0, half), text(0, half), text(0, "y"))).rejects.toMatchObject({ code: "invalid_request" });
  await expect(gathered(begun, text(0, half), { kind: "text", choice: 0, text: half, tokens: 1, logprobs })).rejects.toMatchObject({
    field: "max_tokens",
  });
});
