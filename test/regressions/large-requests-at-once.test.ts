import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BODY_BYTES_MAX, TENANT_HELD_BYTES_MAX } from "../../edge/limits.ts";
import { hangs } from "../harness/model-double.ts";
import { type Serving, startServing } from "../harness/serving.ts";

const BODIES_MAX = Math.floor(TENANT_HELD_BYTES_MAX / BODY_BYTES_MAX);
/** The machine may be busy with other tests. */
const WAIT = { timeout: 15_000 };
const LARGE = JSON.stringify({ model: "minilm", input: "x" }).padEnd(BODY_BYTES_MAX, " ");

let weir: Serving;
let bulk: { authorization: string };
beforeEach(async () => {
  weir = await startServing();
  await weir.makeTenant("bulk", { requestsPerSecond: 1_000, burst: 1_000 });
  bulk = { authorization: `Bearer ${await weir.makeKey("bulk", "infer")}` };
});
afterEach(() => weir.close());

test("of 200 large bodies of a tenant at once a few are taken, the others refused unread, and other tenants served", async () => {
  const sockets = await Promise.all(Array.from({ length: 200 }, openLargeBody));
  const refused = new Set<Socket>();
  const refusals: string[] = [];
  for (const socket of sockets) {
    socket.once("data", (answer) => {
      refused.add(socket);
      refusals.push(String(answer));
    });
  }
  await expect.poll(() => refused.size, WAIT).toBe(200 - BODIES_MAX);

  for (const refusal of refusals) expect(refusal).toMatch(/^HTTP\/1\.1 429 [\s\S]*retry-after: 1/i);
  expect((await weir.post("/v1/embeddings", LARGE)).status).toBe(200);

  for (const socket of sockets) socket.destroy();
  await expect.poll(async () => (await weir.post("/v1/embeddings", LARGE, bulk)).status, WAIT).toBe(200);
});

test("what a caller held who left is let go of, and so is what was answered", async () => {
  for (let turn = 0; turn < 2 * BODIES_MAX; turn += 1) {
    const leaving = new AbortController();
    weir.model.next(hangs);
    const left = fetch(`${weir.url}/v1/embeddings`, { method: "POST", body: LARGE, headers: bulk, signal: leaving.signal });
    await expect.poll(() => weir.model.asked.length).toBe(2 * turn + 1);
    leaving.abort();
    await expect(left).rejects.toThrow();

    expect((await weir.post("/v1/embeddings", LARGE, bulk)).status).toBe(200);
  }
});

/** Says that the largest body will come, and sends its first byte. */
async function openLargeBody(): Promise<Socket> {
  const socket = createConnection(Number(new URL(weir.url).port), "127.0.0.1");
  await once(socket, "connect");
  const head = ["POST /v1/embeddings HTTP/1.1", "host: weir", `authorization: ${bulk.authorization}`, `content-length: ${BODY_BYTES_MAX}`];
  socket.write(`${head.join("\r\n")}\r\n\r\n{`);
  return socket;
}
