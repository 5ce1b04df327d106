import { PassThrough } from "node:stream";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { contentEvent, DONE, toldEvent, usageEvent } from "../../test/harness/engine.ts";
import { createMeterDouble, reachedOf } from "../../test/harness/meter-double.ts";
import { HEARTBEAT_MS, READER_TIMEOUT_MS, STREAM_TIMEOUT_MS } from "../limits.ts";
import { meterEventStream, type StreamPlan } from "./upstream-stream.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});
afterEach(() => {
  vi.useRealTimers();
});

const TOKENS = { inputTokensEstimate: 7, choices: 1, choicesPerPrompt: 1, isToldThroughout: false };

/** An engine's stream under way, and what is metered of it. */
function startStream({ tokens = TOKENS, shownUsage = "none" }: Partial<Pick<StreamPlan, "tokens" | "shownUsage">> = {}) {
  const engine = new PassThrough();
  const meter = createMeterDouble();
  const stream = meterEventStream(engine, {
    meter,
    reached: reachedOf,
    contentType: "text/event-stream",
    signal: new AbortController().signal,
    ...{ tokens, shownUsage },
    renderFailure: (cause) => `failed: ${cause instanceof Error ? cause.message : ""}`,
  });
  return { engine, metered: meter.steps, stream };
}

test("an engine's silence is filled with heartbeats, before its first event and after it", async () => {
  const { engine, metered, stream } = startStream();
  const text = new Response(stream).text();

  await vi.advanceTimersByTimeAsync(HEARTBEAT_MS);
  engine.write(contentEvent("a"));
  await vi.advanceTimersByTimeAsync(HEARTBEAT_MS);
  engine.end(usageEvent(3, 1) + DONE);

  expect(await text).toBe(`: ping\n\n${contentEvent("a")}: ping\n\n${DONE}`);
  expect(metered.at(-1)).toBe("ok 1");
});

test("a stream that lasts too long says so, is metered as far as it came, and lets the engine go", async () => {
  const { engine, metered, stream } = startStream();
  const text = new Response(stream).text();
  engine.write(contentEvent("a") + contentEvent("b"));

  await vi.advanceTimersByTimeAsync(STREAM_TIMEOUT_MS);

  expect(await text).toMatch(/failed: The stream has lasted as long as one may\.$/);
  expect(metered.at(-1)).toBe("cancelled 2");
  expect(engine.destroyed).toBe(true);
});

test("a caller who stops reading is cut, metered as far as the stream came, and the engine is let go", async () => {
  const { engine, metered, stream } = startStream();
  engine.write(contentEvent("a") + contentEvent("b") + contentEvent("c"));
  const reader = stream.getReader();
  await reader.read();
  await vi.advanceTimersByTimeAsync(0);

  await vi.advanceTimersByTimeAsync(READER_TIMEOUT_MS);

  expect(metered.at(-1)).toBe("cancelled 2");
  expect(engine.destroyed).toBe(true);
  await expect(reader.read()).rejects.toThrow("stopped reading");
});

test.each([
  ["none", [contentEvent("a"), contentEvent("b"), DONE]],
  ["at the end", [toldEvent("a", null), toldEvent("b", null), usageEvent(3, 2), DONE]],
  ["as it comes", [toldEvent("a", [3, 1]), toldEvent("b", [3, 2]), usageEvent(3, 2), DONE]],
] as const)("of what an engine tells throughout, a caller who asked for %s sees that", async (shownUsage, seen) => {
  const { engine, metered, stream } = startStream({ tokens: { ...TOKENS, isToldThroughout: true }, shownUsage });
  engine.end(toldEvent("a", [3, 1]) + toldEvent("b", [3, 2]) + usageEvent(3, 2) + DONE);

  expect(await new Response(stream).text()).toBe(seen.join(""));
  expect(metered.at(-1)).toBe("ok 2");
});

test("an engine's failure in the middle is told in our words, and the stream is cut although it ends as if it were whole", async () => {
  const { engine, metered, stream } = startStream();
  engine.end(`${contentEvent("a")}data: {"error":{"message":"the engine's secret"}}\n\n${DONE}`);

  expect(await new Response(stream).text()).toBe(`${contentEvent("a")}failed: The engine behind this model broke off its answer.`);
  expect(metered.at(-1)).toBe("cut 1");
});

test("what is no token is not billed: who speaks, why it ends, and nothing at all", async () => {
  const { engine, metered, stream } = startStream();
  const event = (choice: object) => `data: ${JSON.stringify({ choices: [{ index: 0, ...choice }] })}\n\n`;
  engine.end(event({ delta: { role: "assistant", content: "" } }) + event({ delta: {}, finish_reason: "stop" }));

  await new Response(stream).text();

  expect(metered).toEqual(["void"]);
});
