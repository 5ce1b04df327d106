import { expect, test } from "vitest";
import type { Generator } from "../runtime/generate/generator.ts";
import type { GenerateOrder } from "../runtime/generate/order.ts";
import type { Session } from "../runtime/session.ts";
import { createHost } from "./host.ts";
import type { Graph, WorkerWord } from "./worker-protocol.ts";

const SESSION: Session = { inputs: [], outputs: [], run: async () => ({}), dispose: async () => {} };

/** A host whose sessions load when the test says so, and whose generators note their orders. */
function start({ addMs = 0 } = {}) {
  const said: WorkerWord[] = [];
  const added: string[] = [];
  const within = new Map<string, number | undefined>();
  const loading = Promise.withResolvers<Session>();
  const generator: Generator = {
    async add({ id, withinMs }) {
      added.push(id);
      within.set(id, withinMs);
      for (const startedAtMs = performance.now(); performance.now() - startedAtMs < addMs; ); // as a grammar keeps its thread
    },
    cancel: () => {},
    step: async () => false,
    stats: () => ({ running: 0, waiting: 0, cacheBytes: 0, reservedBytes: 0, promptTokens: 0, drawnTokens: 0, runMs: 0 }),
  };
  const host = createHost({
    openSession: () => loading.promise,
    openGenerator: async () => generator,
    sessionBytesMax: 1_000,
    heldBytes: () => 0,
    say: (word) => said.push(word),
  });
  return { host, said, added, within, load: () => loading.resolve(SESSION) };
}

test("a generation that is cancelled while its model loads is never begun, and the others are", async () => {
  const { host, added, load } = start();

  for (const id of ["left", "stayed", "left too"]) host.hear({ kind: "generate", graph: graphOf("gpt2"), order: orderOf(id) });
  host.hear({ kind: "cancel", id: "left" });
  host.hear({ kind: "cancel", id: "left too" });
  load();

  await expect.poll(() => added).toEqual(["stayed"]);
});

test("a host says which model it turns to before it works on it, and once for as long as it stays with it", async () => {
  const { host, said, added, load } = start();

  host.hear({ kind: "generate", graph: graphOf("gpt2"), order: orderOf("one") });
  host.hear({ kind: "generate", graph: graphOf("gpt2"), order: orderOf("two") });
  host.hear({ kind: "generate", graph: graphOf("gpt2"), order: orderOf("three") });
  expect(said).toEqual([{ kind: "at", key: "gpt2" }]);
  host.hear({ kind: "forward", graph: graphOf("bert"), feeds: {}, fetches: [] });
  load();

  await expect.poll(() => said.at(-1)?.kind).toBe("answer");
  host.hear({ kind: "generate", graph: graphOf("gpt2"), order: orderOf("four") });
  await expect.poll(() => added).toEqual(["one", "two", "three", "four"]);
  const turns = said.map((word) => (word.kind === "at" ? word.key : word.kind));
  expect(turns).toEqual(["gpt2", "bert", "answer", "gpt2"]);
});

test("a call waits for one slow newcomer at most, however many there are", async () => {
  const { host, said, added, load } = start({ addMs: 60 });
  load();

  for (const id of ["one", "two", "three"]) host.hear({ kind: "generate", graph: graphOf("gpt2"), order: orderOf(id) });
  await expect.poll(() => added).toEqual(["one"]);
  host.hear({ kind: "forward", graph: graphOf("bert"), feeds: {}, fetches: [] });

  await expect.poll(() => said.some(({ kind }) => kind === "answer")).toBe(true);
  expect(added).not.toContain("three");
  await expect.poll(() => added).toEqual(["one", "two", "three"]);
});

test("the time in which an order has to end goes on while others have their turn and models load", async () => {
  const { host, added, within, load } = start({ addMs: 60 });

  for (const id of ["one", "two"]) host.hear({ kind: "generate", graph: graphOf("gpt2"), order: { ...orderOf(id), withinMs: 10_000 } });
  host.hear({ kind: "generate", graph: graphOf("gpt2"), order: orderOf("three") });
  load();
  await expect.poll(() => added).toEqual(["one", "two", "three"]);

  expect(within.get("one")).toBeLessThan(10_000);
  expect(within.get("two")).toBeLessThanOrEqual(10_000 - 60);
  expect(within.get("three")).toBeUndefined();
});

function graphOf(key: string): Graph {
  const head = { head: "generate", holds: "tokens", outputs: ["logits"] } as const;
  return { key, folder: "/m", path: `/m/${key}`, weightBytes: 1, padId: 0, firstPosition: 0, poolings: [], isBatched: true, head };
}

function orderOf(id: string): GenerateOrder {
  return { id, prompts: [Int32Array.of(1)], n: 1, sampling: {}, stop: [] };
}
