import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { untilAborted } from "./until-aborted.ts";

async function* numbers(count: number) {
  for (let number = 0; number < count; number += 1) yield number;
}

/** Never gives anything, and never ends, whatever it is asked. */
const deaf: AsyncIterable<number> = {
  [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}), return: () => new Promise(() => {}) }),
};

test("values pass through, and the signal keeps no trace of them", async () => {
  const { signal } = new AbortController();
  const seen: number[] = [];

  for await (const number of untilAborted(numbers(3), signal)) {
    seen.push(number);
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
  }

  expect(seen).toEqual([0, 1, 2]);
  expect(getEventListeners(signal, "abort")).toEqual([]);
});

test("an abort ends the wait for a source that is deaf to it", async () => {
  const controller = new AbortController();
  const next = untilAborted(deaf, controller.signal).next();

  controller.abort();

  await expect(next).rejects.toMatchObject({ code: "cancelled" });
});

test("nothing is asked of a source after the abort", async () => {
  const aborted = AbortSignal.abort();

  await expect(untilAborted(numbers(3), aborted).next()).rejects.toMatchObject({ code: "cancelled" });
});

test("whoever ends the iteration ends the source", async () => {
  let isClosed = false;
  async function* source() {
    try {
      yield* numbers(3);
    } finally {
      isClosed = true;
    }
  }

  for await (const _ of untilAborted(source(), new AbortController().signal)) break;

  await expect.poll(() => isClosed).toBe(true);
});
