import { expect, test } from "vitest";
import { TOY_GRAPH } from "../../../test/harness/toy-graph.ts";
import type { GenerateOrder } from "../runtime/generate/order.ts";
import { startWorker } from "./worker.ts";
import type { WorkerCall, WorkerOrder, WorkerWord } from "./worker-protocol.ts";

const CALL: WorkerCall = { kind: "run", graph: TOY_GRAPH, inputs: [] };
const ANSWER: WorkerWord = { kind: "answer", answer: { kind: "rows", rows: [], runMs: 1 } };

/** A worker whose bodies say what the test lets them say. */
function start() {
  const bodies: { say: (word: WorkerWord) => void; end: () => void; orders: WorkerOrder[]; isKilled: boolean }[] = [];
  const seen = { idle: 0, blamed: [] as (readonly string[])[] };
  const worker = startWorker({
    spawn: ({ word, ended }) => {
      const body = { say: word, end: () => ended("the test"), orders: [] as WorkerOrder[], isKilled: false };
      bodies.push(body);
      return {
        send: (order) => void body.orders.push(order),
        kill: () => {
          body.isKilled = true;
          ended("killed");
        },
      };
    },
    runTimeoutMs: 60_000,
    log: () => {},
    onIdle: () => {
      seen.idle += 1;
    },
    onDeath: (models) => void seen.blamed.push(models),
  });
  const body = bodies[0];
  if (body === undefined) throw new Error("a worker has a body");
  body.say({ kind: "ready" });
  return { worker, body, bodies, seen };
}

test("a spent worker with nothing to do is ended", async () => {
  const { worker, body } = start();

  body.say({ kind: "spent" });

  expect(body.isKilled).toBe(true);
  expect(worker.isUp()).toBe(false);
  await worker.close();
});

test("a spent worker that has been given work meanwhile answers it, takes no more, and is ended then", async () => {
  const { worker, body, seen } = start();
  const answer = worker.run(CALL);

  body.say({ kind: "spent" });
  expect([body.isKilled, worker.isIdle(), worker.takesGenerations()]).toEqual([false, false, false]);
  const idleBefore = seen.idle;
  body.say(ANSWER);

  expect(await answer).toMatchObject({ kind: "rows" });
  expect(body.isKilled).toBe(true);
  expect(seen.idle).toBe(idleBefore);
  await worker.close();
});

test("a body that dies blames the model that was at work, once, and fails whatever ran there", async () => {
  const { worker, body, seen } = start();
  const failed: string[] = [];
  const generate = (key: string, id: string) =>
    worker.generate({ ...TOY_GRAPH, key }, orderOf(id), { event: () => {}, fail: ({ code }) => failed.push(`${id} ${code}`) });
  for (const id of ["one", "two", "three"]) generate("gpt2", id);
  generate("bystander", "four");
  const answer = worker.run(CALL);

  body.say({ kind: "at", key: "bystander" });
  body.say({ kind: "at", key: "gpt2" });
  body.end();

  await expect(answer).rejects.toMatchObject({ code: "engine_failed" });
  expect(failed).toEqual(["one", "two", "three", "four"].map((id) => `${id} engine_failed`));
  expect(seen.blamed).toEqual([["gpt2"]]);
  await worker.close();
});

test("whose work had ended before a body died is not to blame, and without any work nobody is", async () => {
  const { worker, body, seen } = start();
  body.say({ kind: "at", key: "gone" });
  worker.generate(TOY_GRAPH, orderOf("one"), { event: () => {}, fail: () => {} });
  body.end();
  expect(seen.blamed).toEqual([["k"]]);
  await worker.close();

  const idle = start();
  idle.body.say({ kind: "at", key: "gone" });
  idle.body.end();
  expect(idle.seen.blamed).toEqual([]);
  await idle.worker.close();
});

function orderOf(id: string): GenerateOrder {
  return { id, prompts: [Int32Array.of(1)], n: 1, sampling: {}, stop: [] };
}
