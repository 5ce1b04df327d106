import { createConnection } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runModel } from "../test/harness/model-double.ts";
import { type Serving, startServing } from "../test/harness/serving.ts";

let weir: Serving;
beforeEach(async () => {
  weir = await startServing();
});
afterEach(() => weir.close());

/** Sends a request that the pool answers when `release` is called. */
async function holdRequest(): Promise<{ answer: Promise<Response>; release: () => void }> {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const arrived = new Promise<void>((resolve) => {
    weir.model.next(async (request) => {
      resolve();
      await released;
      return runModel(request);
    });
  });
  const answer = weir.post("/v1/embeddings", { model: "minilm", input: "x" });
  await arrived;
  return { answer, release };
}

test("draining lets the request in flight be answered and metered, takes no new one, and ends without waiting for idle clients", async () => {
  const { answer, release } = await holdRequest();

  const drained = weir.drain();
  await expect(weir.get("/health/live")).rejects.toThrow();
  release();

  expect((await answer).status).toBe(200);
  await drained; // the client would keep its connection for longer than this test may take
  expect(await weir.newRows()).toHaveLength(1);
});

test("a head that is too large is refused without a look at it", async () => {
  const { port, hostname } = new URL(weir.url);
  const socket = createConnection({ port: Number(port), host: hostname });

  socket.end(`GET /health/live HTTP/1.1\r\nhost: weir\r\nx-large: ${"x".repeat(20_000)}\r\n\r\n`);

  expect(await text(socket)).toMatch(/^HTTP\/1\.1 431 /);
});
