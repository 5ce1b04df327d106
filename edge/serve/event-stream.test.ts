import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { HEARTBEAT_MS, READER_TIMEOUT_MS, STREAM_TIMEOUT_MS } from "../limits.ts";
import { type Cut, streamEvents } from "./event-stream.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0); // a timer that is left keeps a process from ending
  vi.useRealTimers();
});

/** A source that gives what it is told, and ends once it is cut. */
function startSource() {
  const waiting: { resolve: (piece: string | undefined) => void }[] = [];
  const given: (string | undefined)[] = [];
  const source = { cuts: [] as Cut[], fetched: 0, isClosed: false, give };
  function give(...pieces: (string | undefined)[]) {
    for (const piece of pieces) {
      const next = waiting.shift();
      if (next === undefined) given.push(piece);
      else next.resolve(piece);
    }
  }
  async function* pieces(): AsyncGenerator<string, void> {
    try {
      for (;;) {
        source.fetched += 1;
        const piece = given.length > 0 ? given.shift() : await new Promise<string | undefined>((resolve) => waiting.push({ resolve }));
        if (piece === undefined) return;
        yield piece;
      }
    } finally {
      source.isClosed = true;
    }
  }
  const cut = (why: Cut) => {
    source.cuts.push(why);
    give(undefined);
  };
  const reader = streamEvents({ pieces: pieces(), cut }).getReader();
  return { source, reader, read: async () => Buffer.from((await reader.read()).value ?? []).toString() };
}

/** Lets everything happen that waits for no timer. */
const settled = () => vi.advanceTimersByTimeAsync(0);

test("pieces arrive as they come, and the end with them", async () => {
  const { source, reader, read } = startSource();

  source.give("a", "b", undefined);

  expect([await read(), await read(), (await reader.read()).done]).toEqual(["a", "b", true]);
  expect(source.cuts).toEqual([]);
});

test("silence is filled with a comment every 15 s, also before the first piece, and no piece is lost to it", async () => {
  const { source, reader, read } = startSource();
  const before = [read(), read()];

  await vi.advanceTimersByTimeAsync(2 * HEARTBEAT_MS);

  expect(HEARTBEAT_MS).toBe(15_000);
  expect(await Promise.all(before)).toEqual([": ping\n\n", ": ping\n\n"]);
  const first = read();
  source.give("a", undefined);
  expect(await first).toBe("a");
  expect((await reader.read()).done).toBe(true);
  expect(source.fetched).toBe(2);
});

test("nothing is fetched for a caller who does not read, beyond the one piece that waits", async () => {
  const { source, read, reader } = startSource();

  source.give("a", "b", "c");
  await settled();

  expect(source.fetched).toBe(1);
  expect(await read()).toBe("a");
  await settled();
  expect(source.fetched).toBe(2);
  await reader.cancel();
});

test("a caller who stops reading is cut after a minute, and the source is told so and closed", async () => {
  const { source, read, reader } = startSource();
  source.give("a", "b");
  await read();
  await settled();

  await vi.advanceTimersByTimeAsync(READER_TIMEOUT_MS - 1);
  expect(source.cuts).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);

  expect(source).toMatchObject({ cuts: ["unread"], isClosed: true });
  await expect(reader.read()).rejects.toThrow("stopped reading");
});

test("heartbeats that nobody takes do not count as reading", async () => {
  const { source, reader } = startSource();

  await vi.advanceTimersByTimeAsync(HEARTBEAT_MS + READER_TIMEOUT_MS);

  expect(source.cuts).toEqual(["unread"]);
  await expect(reader.closed).rejects.toThrow();
});

test("a stream lasts 14 minutes at most, however diligently it is read, and may say so at its end", async () => {
  const { source, reader, read } = startSource();
  const pieces: string[] = [];
  const reading = (async () => {
    for (let piece = await read(); piece !== ""; piece = await read()) pieces.push(piece);
  })();

  await vi.advanceTimersByTimeAsync(STREAM_TIMEOUT_MS);
  await reading;

  expect(source.cuts).toEqual(["overdue"]);
  expect(new Set(pieces)).toEqual(new Set([": ping\n\n"]));
  expect((await reader.read()).done).toBe(true);
});

test("a caller who leaves while the source is silent ends it", async () => {
  const { source, reader } = startSource();
  await settled();

  await reader.cancel();
  await settled();

  expect(source).toMatchObject({ cuts: ["left"], isClosed: true });
  await vi.advanceTimersByTimeAsync(HEARTBEAT_MS); // the wait that was under way
});
