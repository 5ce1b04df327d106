import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { text } from "node:stream/consumers";
import { afterEach, expect, test } from "vitest";
import { createHttp } from "./http.ts";
import { createTenantClient } from "./tenant.ts";

const SERVED = { "weir-model": "minilm@2", "weir-arm": "canary", "weir-tier": "cpu", "weir-request-id": "r1" };

let server: Server | undefined;
afterEach(() => {
  server?.close().closeAllConnections();
});

/** A Hugging Face route that answers everything alike, and what it was asked. */
async function answering(body: unknown) {
  const asked: { path: string | undefined; unit: unknown; body: unknown }[] = [];
  const listener = async (request: IncomingMessage) => {
    asked.push({ path: request.url, unit: request.headers["weir-unit"], body: JSON.parse(await text(request)) });
  };
  server = createServer(async (request, response) => {
    await listener(request);
    response.writeHead(200, SERVED).end(JSON.stringify(body));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
  return { client: createTenantClient(createHttp({ url, key: "k" })), asked };
}

test.each([
  ["a vector", [0.25, -1], { task: "embed", vector: [0.25, -1] }],
  ["a vector in a list", [[0.25, -1]], { task: "embed", vector: [0.25, -1] }],
  ["labels", [[{ label: "joy", score: 0.9 }]], { task: "classify", labels: [{ label: "joy", score: 0.9 }] }],
])("%s says by itself what the model's task is, and the headers say what served", async (_, body, output) => {
  const { client } = await answering(body);

  const inferred = await client.infer({ model: "minilm", text: "hello" });

  expect(inferred).toEqual({ model: "minilm@2", arm: "canary", tier: "cpu", requestId: "r1", output });
});

test("a version, a pair and a unit go where the route reads them", async () => {
  const { client, asked } = await answering([1]);

  await client.infer({ model: "minilm@2", text: "a", textPair: "b", unit: "user-7" });

  expect(asked).toEqual([{ path: "/hf/minilm%402", unit: "user-7", body: { inputs: { text: "a", text_pair: "b" } } }]);
});
