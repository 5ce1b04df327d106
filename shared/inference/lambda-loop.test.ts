import { once } from "node:events";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { afterEach, expect, test } from "vitest";
import { runLambdaLoop } from "./lambda-loop.ts";

const server = createServer();
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

/** Lambda's runtime API: gives these events one after the other and then none, and remembers what was reported. */
async function startRuntimeApi(events: readonly string[]) {
  const reported: { url: string | undefined; body: string }[] = [];
  let given = 0;
  server.on("request", async (request, response) => {
    if (request.method === "POST") {
      reported.push({ url: request.url, body: await text(request) });
      response.writeHead(202).end();
    } else if (given < events.length) {
      const headers = { "lambda-runtime-aws-request-id": `id-${given}`, "lambda-runtime-deadline-ms": "1700000000000" };
      response.writeHead(200, headers).end(events[given]);
      given += 1;
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return { runtimeApi: `127.0.0.1:${typeof address === "object" ? address?.port : ""}`, reported };
}

test("events are answered one by one, and one that fails does not end the loop", async () => {
  const { runtimeApi, reported } = await startRuntimeApi(["one", "bad", "two"]);
  const stop = new AbortController();
  const loop = runLambdaLoop({
    runtimeApi,
    signal: stop.signal,
    handle: async ({ payload, deadlineAtMs }) => {
      const event = Buffer.from(payload).toString();
      if (event === "bad") throw new TypeError("no such event");
      return Buffer.from(`${event} until ${deadlineAtMs}`);
    },
  });

  await expect.poll(() => reported.length, { timeout: 10_000 }).toBe(3);
  stop.abort();
  // It waits for the next event by now, or is about to.
  await expect(loop.catch(({ name }) => name)).resolves.toBeOneOf([undefined, "AbortError"]);

  const root = "/2018-06-01/runtime/invocation";
  expect(reported).toEqual([
    { url: `${root}/id-0/response`, body: "one until 1700000000000" },
    { url: `${root}/id-1/error`, body: '{"errorType":"TypeError","errorMessage":"no such event"}' },
    { url: `${root}/id-2/response`, body: "two until 1700000000000" },
  ]);
});
