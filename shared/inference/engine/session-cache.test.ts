import { expect, test } from "vitest";
import { createSessionCache } from "./session-cache.ts";
import type { Graph } from "./worker-protocol.ts";

/** A process whose memory grows by what each graph takes, and shrinks when its session goes. */
function processWith(growths: Record<string, number>, bytesMax: number) {
  let rss = 1_000;
  const open: string[] = [];
  const cache = createSessionCache({
    bytesMax,
    heldBytes: () => rss,
    open: async (path) => {
      rss += growths[path] ?? 0;
      open.push(path);
      const dispose = async () => {
        rss -= growths[path] ?? 0;
        open.splice(open.indexOf(path), 1);
      };
      return { inputs: [], outputs: [], dispose, run: () => Promise.reject(new Error("not run here")) };
    },
  });
  return { cache, open };
}

const graph = (key: string, weightBytes = 1): Graph => ({
  key,
  folder: "",
  path: key,
  weightBytes,
  padId: 0,
  firstPosition: 0,
  poolings: ["mean"],
  head: { head: "embed", outputs: ["last_hidden_state"], holds: "pooled" },
  isBatched: true,
});

test("a session is opened once, and counted with what the process grew by", async () => {
  const { cache, open } = processWith({ a: 30 }, 100);

  const first = await cache.get(graph("a"));

  expect(await cache.get(graph("a"))).toBe(first);
  expect(open).toEqual(["a"]);
  expect(cache.usedBytes()).toBe(30);
});

test("the one that was used longest ago makes room", async () => {
  const { cache, open } = processWith({ a: 40, b: 40, c: 40 }, 100);
  await cache.get(graph("a"));
  await cache.get(graph("b"));
  await cache.get(graph("a"));

  await cache.get(graph("c"));

  expect(open).toEqual(["a", "c"]);
  expect(cache.usedBytes()).toBe(80);
});

test("a session that takes more than its files said makes room for the rest too", async () => {
  const { cache, open } = processWith({ a: 40, b: 40, c: 90 }, 100);
  await cache.get(graph("a"));
  await cache.get(graph("b"));

  await cache.get(graph("c", 5));

  expect(open).toEqual(["c"]);
});

test("what can never fit is unavailable, by its files before it is loaded, by its growth after", async () => {
  const { cache, open } = processWith({ small: 40, files: 10, growth: 200 }, 100);
  await cache.get(graph("small"));

  await expect(cache.get(graph("files", 101))).rejects.toMatchObject({ code: "unavailable" });
  expect(open).toEqual(["small"]);

  await expect(cache.get(graph("growth"))).rejects.toMatchObject({ code: "unavailable" });
  expect(open).toEqual([]);
  expect(cache.usedBytes()).toBe(0);
});
