import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { afterEach, expect, test } from "vitest";
import * as z from "zod";
import { createHttp, everyItem } from "./http.ts";

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

/** A server that answers its requests in this order, the last answer again and again, and remembers what it was asked. */
async function serve(...answers: Answer[]) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    answers[Math.min(asked.length, answers.length) - 1]?.(request, response);
  }).listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  return { url: `http://127.0.0.1:${port}`, asked };
}

const json =
  (status: number, body: unknown, headers: Record<string, string> = {}): Answer =>
  (_, response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
  };

const Name = z.object({ name: z.string() });
const get = { method: "GET", path: ["a b", "ü/x"], answer: Name } as const;
const post = { method: "POST", path: ["boats"], body: { name: "x" }, answer: Name } as const;

test("paths are encoded, and the key and the query go along", async () => {
  const keys: unknown[] = [];
  const { url, asked } = await serve((request, response) => {
    keys.push(request.headers.authorization);
    response.end('{"name":"boat"}');
  });

  const body = await createHttp({ url, key: "k1" }).ask({ ...get, query: { limit: 3, cursor: undefined } });

  expect(body).toEqual({ name: "boat" });
  expect(asked).toEqual(["GET /a%20b/%C3%BC%2Fx?limit=3"]);
  expect(keys).toEqual(["Bearer k1"]);
});

test("a failure keeps the gateway's code, message, field and request id", async () => {
  const { url } = await serve(json(400, { error: { code: "invalid_request", message: "too long", field: "name", requestId: "r1" } }));

  await expect(createHttp({ url, key: "k" }).ask(post)).rejects.toMatchObject({
    code: "invalid_request",
    message: "too long",
    field: "name",
    requestId: "r1",
  });
});

test.each([
  [
    "OpenAI's",
    { error: { message: "no model", type: "invalid_request_error", param: "model", code: "model_not_found" } },
    { field: "model" },
  ],
  ["Hugging Face's", { error: "no model", error_type: "not_found" }, {}],
  ["OIP's", { error: "no model" }, {}],
])("%s form of a failure is read too, with the request id of the header", async (_, body, expected) => {
  const { url } = await serve(json(404, body, { "weir-request-id": "r2" }));

  const failure = createHttp({ url, key: "k" }).ask(post);

  await expect(failure).rejects.toMatchObject({ code: "not_found", message: "no model", requestId: "r2", ...expected });
});

test("an answer that is not Weir's is a failure that says so", async () => {
  const { url } = await serve((_, response) => response.writeHead(502).end("<html>bad gateway</html>"));

  await expect(createHttp({ url, key: "k" }).ask(post)).rejects.toMatchObject({
    code: "engine_failed",
    message: "The answer has status 502 and is not one of Weir's.",
  });
});

test("an answer in another form than this version's is refused with its place", async () => {
  const { url } = await serve(json(200, { name: 7 }));

  await expect(createHttp({ url, key: "k" }).ask(post)).rejects.toThrow("not in the form of this client's version: name");
});

test("a read is repeated when that may help, after the time that the answer says", async () => {
  const { url, asked } = await serve(json(503, { error: "busy" }, { "retry-after": "0" }), json(200, { name: "boat" }));

  expect(await createHttp({ url, key: "k" }).ask(get)).toEqual({ name: "boat" });
  expect(asked).toHaveLength(2);
});

test("a read is not repeated for ever, and a refusal is not repeated at all", async () => {
  const busy = await serve(json(503, { error: "busy" }, { "retry-after": "0" }));
  const refusing = await serve(json(403, { error: "no" }));

  await expect(createHttp({ url: busy.url, key: "k" }).ask(get)).rejects.toMatchObject({ code: "unavailable" });
  await expect(createHttp({ url: refusing.url, key: "k" }).ask(get)).rejects.toMatchObject({ code: "forbidden" });

  expect(busy.asked).toHaveLength(3);
  expect(refusing.asked).toHaveLength(1);
});

test("a write is never sent twice", async () => {
  const { url, asked } = await serve(json(503, { error: "busy" }, { "retry-after": "0" }));

  await expect(createHttp({ url, key: "k" }).ask(post)).rejects.toMatchObject({ code: "unavailable" });
  expect(asked).toHaveLength(1);
});

test("no answer in time is a timeout, and nobody there is unavailable with the network's reason", async () => {
  const silent = await serve(() => {});
  const { url } = await serve();
  const gone = servers.pop();
  await new Promise((done) => gone?.close(done));

  await expect(createHttp({ url: silent.url, key: "k", timeoutMs: 20 }).ask(get)).rejects.toMatchObject({ code: "timeout" });
  await expect(createHttp({ url, key: "k" }).ask(post)).rejects.toThrow(`${url} cannot be reached (ECONNREFUSED).`);
  expect(silent.asked).toHaveLength(1);
});

test("a path that would climb, and a header of two lines, are refused before anything is sent", async () => {
  const { url, asked } = await serve(json(200, { name: "boat" }));
  const http = createHttp({ url, key: "k" });

  await expect(http.ask({ ...get, path: ["admin", ".."] })).rejects.toMatchObject({ code: "invalid_request" });
  await expect(http.ask({ ...get, headers: { "weir-unit": "a\nb" } })).rejects.toMatchObject({ field: "weir-unit" });
  expect(asked).toEqual([]);
});

test("every item of a list comes, page by page", async () => {
  const pages: Record<string, { items: number[]; nextCursor?: string }> = {
    first: { items: [1, 2], nextCursor: "second" },
    second: { items: [3] },
  };

  const items = await everyItem(async ({ cursor = "first" }) => pages[cursor] ?? { items: [] });

  expect(items).toEqual([1, 2, 3]);
});
