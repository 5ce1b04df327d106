import fc from "fast-check";
import { expect, test } from "vitest";
import { createStreamUsage, type StreamEvent, type StreamTokens } from "./stream-usage.ts";

const TOKENS: StreamTokens = { inputTokensEstimate: 7, choices: 1, choicesPerPrompt: 1, isToldThroughout: false };

function counted(events: readonly StreamEvent[], tokens: Partial<StreamTokens> = {}) {
  const usage = createStreamUsage({ ...TOKENS, ...tokens });
  for (const event of events) usage.note(event);
  return usage.counted();
}

const said = (content: string, index = 0): StreamEvent => ({ choices: [{ index, delta: { content } }] });
const told = (prompt_tokens: number, completion_tokens: number) => ({ usage: { prompt_tokens, completion_tokens } });

test("without a word of the engine, what it read is the estimate, and each event that brings text a token", () => {
  expect(counted([])).toEqual({ inputTokens: 7, outputTokens: 0 });
  expect(counted([said("a"), said(""), said("b")])).toEqual({ inputTokens: 7, outputTokens: 2 });
  expect(counted([{ choices: [{ text: "a" }, { text: "" }] }, { choices: null }, {}])).toEqual({ inputTokens: 7, outputTokens: 1 });
});

test.each([
  ["who speaks", { role: "assistant", content: "" }, 0],
  ["nothing", {}, 0],
  ["no delta", null, 0],
  ["a tool's call", { tool_calls: [{ index: 0 }] }, 1],
  ["no tool's call", { content: null, tool_calls: [] }, 0],
  ["reasoning", { reasoning_content: "hm" }, 1],
])("%s in an event counts as it should", (_, delta, tokens) => {
  expect(counted([{ choices: [{ index: 0, delta }] }]).outputTokens).toBe(tokens);
});

test("what the engine tells at the end is what counts", () => {
  expect(counted([said("a"), said("b"), { choices: [], ...told(40, 5) }])).toEqual({ inputTokens: 40, outputTokens: 5 });
  expect(counted([said("a"), { choices: [], ...told(40, 0) }])).toEqual({ inputTokens: 40, outputTokens: 0 });
});

test("what it tells on the way counts until then, and hides no choice that was delivered", () => {
  expect(counted([{ ...said("a"), ...told(40, 3) }])).toEqual({ inputTokens: 40, outputTokens: 3 });
  expect(counted([said("a", 0), said("b", 0), { ...said("c", 1), ...told(40, 1) }], { choices: 2 })).toEqual({
    inputTokens: 40,
    outputTokens: 3,
  });
});

test("counts that are told throughout are each choice's own; a prompt that several continue is read once", () => {
  const events = [
    { ...said("a", 0), ...told(10, 2) },
    { ...said("b", 1), ...told(10, 3) },
    { ...said("c", 2), ...told(20, 1) },
    { ...said("d", 0), ...told(10, 4) },
    said("e", 3),
  ];

  const tokens = { choices: 4, choicesPerPrompt: 2, isToldThroughout: true };
  expect(counted(events, tokens)).toEqual({ inputTokens: 30, outputTokens: 4 + 3 + 1 + 1 });
  expect(counted([...events, { choices: [], ...told(31, 9) }], tokens)).toEqual({ inputTokens: 31, outputTokens: 9 });
});

test("an engine that was to tell throughout and does not is counted as one that tells nothing", () => {
  expect(counted([said("a"), said("b")], { isToldThroughout: true })).toEqual({ inputTokens: 7, outputTokens: 2 });
});

test.each([-1, 1.5, 9e15, "0", undefined])("a choice %s that nobody asked for makes no room of its own", (index) => {
  const event = { choices: [{ index, delta: { content: "a" } }], ...told(10, 1) };

  expect(counted([event, event], { choices: 1, isToldThroughout: true })).toEqual({ inputTokens: 10, outputTokens: 1 });
});

test("however a text is cut into events, no more is counted than a tokenizer of bytes would", () => {
  const events = fc.array(fc.record({ choices: fc.array(fc.record({ index: fc.nat(3), delta: fc.record({ content: fc.string() }) })) }));
  fc.assert(
    fc.property(events, fc.boolean(), (stream, isToldThroughout) => {
      const texts = stream.flatMap(({ choices }) => choices.map(({ delta }) => delta.content));

      expect(counted(stream, { choices: 4, isToldThroughout }).outputTokens).toBeLessThanOrEqual(Buffer.byteLength(texts.join("")));
    }),
  );
});
