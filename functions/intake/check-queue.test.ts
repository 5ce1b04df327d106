import { expect, test } from "vitest";
import { createCheckQueue } from "./check-queue.ts";

/** Checks that end when they are told to. */
function gates() {
  const begun: string[] = [];
  const open = new Map<string, () => void>();
  const check = ({ model }: { model: string }) => {
    begun.push(model);
    return new Promise<void>((resolve) => open.set(model, resolve));
  };
  return { begun, check, end: (model: string) => open.get(model)?.() };
}

const settings = { atOnceMax: 2, waitingMax: 2, log: () => {}, retryWaitsMs: [] };
const PATIENT = { timeout: 10_000 };
const job = (model: string) => ({ model, number: 1 });

test("so many are checked at once, and the next begins when one ends", async () => {
  const { begun, check, end } = gates();
  const queue = createCheckQueue({ ...settings, check });

  for (const model of ["a", "b", "c"]) queue.add(job(model));
  const before = [...begun];
  end("a");
  await expect.poll(() => begun, PATIENT).toEqual(["a", "b", "c"]);

  expect(before).toEqual(["a", "b"]);
});

test("a version waits once, and is not checked beside itself", async () => {
  const { begun, check, end } = gates();
  const queue = createCheckQueue({ ...settings, check });

  for (let each = 0; each < 5; each += 1) queue.add(job("a"));
  expect(begun).toEqual(["a"]);
  end("a");
  await expect.poll(() => begun, PATIENT).toEqual(["a", "a"]);
});

test("a full queue refuses, so that the publisher comes back", async () => {
  const queue = createCheckQueue({ ...settings, check: gates().check });
  for (const model of ["a", "b", "c", "d"]) queue.add(job(model));

  expect(() => queue.add(job("e"))).toThrow("2 versions wait to be checked.");
});

test("a check that fails by our fault is tried again, as often as it is said and no more", async () => {
  let tries = 0;
  const check = async () => {
    tries += 1;
    throw new Error("the store is away");
  };
  const queue = createCheckQueue({ ...settings, check, retryWaitsMs: [0, 0] });

  queue.add(job("a"));
  await expect.poll(() => tries, PATIENT).toBe(3);
  await queue.stop();

  expect(tries).toBe(3);
});

test("stopping aborts what runs and forgets what waits", async () => {
  const begun: string[] = [];
  const check = ({ model }: { model: string }, signal: AbortSignal) => {
    begun.push(model);
    return new Promise<void>((_, reject) => signal.addEventListener("abort", () => reject(new Error("stopped"))));
  };
  const queue = createCheckQueue({ ...settings, atOnceMax: 1, check, retryWaitsMs: [60_000] });
  queue.add(job("a"));
  queue.add(job("b"));

  await queue.stop();
  queue.add(job("c"));

  expect(begun).toEqual(["a"]);
});
