import { beforeEach, expect, test } from "vitest";
import { type StoppedClock, stopClock } from "../test/harness/clock.ts";
import { type Cache, createCache } from "./cache.ts";

/** A source whose loads end when the test says so. */
type Load = { readonly key: string; readonly answer: (value: string) => Promise<void>; readonly fail: () => Promise<void> };

let clock: StoppedClock;
let loads: Load[];
let cache: Cache<string>;
beforeEach(() => {
  clock = stopClock();
  loads = [];
  cache = createCache({ clock, freshMs: 5_000, hardMs: 30_000, itemsMax: 2, load });
});

function load(key: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const settled = () => promise.then(tick, tick);
  loads.push({
    key,
    answer: (value) => {
      resolve(value);
      return settled();
    },
    fail: () => {
      reject(new Error("no"));
      return settled();
    },
  });
  return promise;
}

/** Lets what waits for a load go on. */
const tick = () => new Promise<void>((done) => setImmediate(done));

async function fill(key: string, value: string) {
  const got = cache.get(key);
  await loads.at(-1)?.answer(value);
  return got;
}

test("a fresh value is at hand without a promise, and many askers make one load", async () => {
  const askers = [cache.get("a"), cache.get("a"), cache.get("a")];
  await loads[0]?.answer("one");

  expect(await Promise.all(askers)).toEqual(["one", "one", "one"]);
  clock.advance(4_999);
  expect(cache.get("a")).toBe("one");
  expect(loads).toHaveLength(1);
});

test("a stale value is answered while it is read again, once", async () => {
  await fill("a", "one");
  clock.advance(5_000);

  expect([cache.get("a"), cache.get("a")]).toEqual(["one", "one"]);
  expect(loads).toHaveLength(2);
  await loads[1]?.answer("two");
  expect(cache.get("a")).toBe("two");
});

test("nothing older than the hard age is ever answered, even if the store is away", async () => {
  await fill("a", "one");
  clock.advance(29_999);
  expect(cache.get("a")).toBe("one");
  await loads[1]?.fail(); // nobody hears of it: the value still served
  clock.advance(1);

  const refused = expect(cache.get("a")).rejects.toThrow("no");

  await loads[2]?.fail();
  await refused;
});

test("a value from before the clock was set back is of no known age, and is read again before it is answered", async () => {
  await fill("a", "one");
  clock.advance(-1);

  const got = cache.get("a");

  await loads[1]?.answer("two");
  expect(await got).toBe("two");
});

test("a value is as old as its question, so a slow store does not make it younger", async () => {
  const got = cache.get("a");
  clock.advance(30_000);
  await loads[0]?.answer("slow");

  expect(await got).toBe("slow");
  expect(cache.get("a")).toBeInstanceOf(Promise);
});

test("a failed load is not kept", async () => {
  const refused = expect(cache.get("a")).rejects.toThrow("no");
  await loads[0]?.fail();
  await refused;

  expect(await fill("a", "one")).toBe("one");
});

test("forgetting drops the value, and what a load under way reads is not kept", async () => {
  await fill("a", "one");
  clock.advance(5_000);
  cache.get("a"); // reads what is about to change
  cache.forget("a");

  const got = cache.get("a");
  await loads[1]?.answer("before");
  await loads[2]?.answer("after");

  expect(await got).toBe("after");
  expect(cache.get("a")).toBe("after");
});

test("only so many values are kept", async () => {
  await fill("a", "1");
  await fill("b", "2");
  await fill("c", "3");

  expect(cache.get("c")).toBe("3");
  expect(cache.get("a")).toBeInstanceOf(Promise);
});

test("misses are kept apart: they push out no value, and a value that comes pushes out its miss", async () => {
  const source = new Map([["a", "one"]]);
  const apart = createCache({ clock, freshMs: 5_000, hardMs: 30_000, itemsMax: 1, missesMax: 2, load: async (key) => source.get(key) });
  await apart.get("a");

  for (const key of ["b", "c", "d"]) expect(await apart.get(key)).toBeUndefined();

  expect(["a", "b", "c", "d"].map((key) => apart.knows(key))).toEqual([true, false, true, true]);
  expect(apart.get("a")).toBe("one");
  expect(apart.get("d")).toBeUndefined();
  source.set("d", "two");
  expect(await apart.reload("d")).toBe("two");
  expect(["a", "d"].map((key) => apart.knows(key))).toEqual([false, true]);
  source.delete("d");
  expect(await apart.reload("d")).toBeUndefined();
  clock.advance(5_000);
  expect(apart.knows("d")).toBe(false);
});

test("what is being read, and what was there however long ago, is known", async () => {
  expect(cache.knows("a")).toBe(false);
  const got = cache.get("a");
  expect(cache.knows("a")).toBe(true);
  await loads[0]?.answer("one");
  await got;

  clock.advance(60_000);
  expect(cache.knows("a")).toBe(true);
  cache.forget("a");
  expect(cache.knows("a")).toBe(false);
});
