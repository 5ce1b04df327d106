import { PassThrough } from "node:stream";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { contentEvent, DONE, usageEvent } from "../../test/harness/engine.ts";
import { createMeterDouble, reachedOf } from "../../test/harness/meter-double.ts";
import { HEARTBEAT_MS, READER_TIMEOUT_MS, STREAM_TIMEOUT_MS } from "../limits.ts";
import { meterEventStream } from "./upstream-stream.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** An engine's stream under way, and what is metered of it. */
function startStream() {
  const engine = new PassThrough();
  const meter = createMeterDouble();
  const stream = meterEventStream(engine, {
    meter,
    reached: reachedOf,
    contentType: "text/event-stream",
    signal: new AbortController().signal,
    hidesUsage: true,
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
