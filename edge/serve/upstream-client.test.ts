import { createServer } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Resolve } from "../../shared/events/target.ts";
import type { EngineRules } from "../../shared/models/engine-rules.ts";
import type { Upstream } from "../../shared/models/version.ts";
import { portOf } from "../../test/harness/dynamo.ts";
import { answerJson, type Engine, startEngine } from "../../test/harness/engine.ts";
import { createUpstreamClient, type UpstreamClient } from "./upstream-client.ts";

let engine: Engine;
let other: Engine;
const clients: UpstreamClient[] = [];
beforeAll(async () => {
  [engine, other] = await Promise.all([startEngine(), startEngine()]);
});
afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await Promise.all([engine.close(), other.close()]);
});
beforeEach(() => {
  engine.asked.length = 0;
});

const ANY: EngineRules = { origins: "*", credentials: new Map() };
const originOf = ({ url }: Engine) => new URL(url).origin;
const boundTo = (...origins: string[]) => new Map([["WEIR_UPSTREAM_A", { value: "secret", origins }]]);

function open(rules: EngineRules, resolve: Resolve = async () => []): UpstreamClient {
  const client = createUpstreamClient(rules, resolve);
  clients.push(client);
  return client;
}

function requestTo(upstream: Partial<Upstream> & Pick<Upstream, "url">) {
  const { signal } = new AbortController();
  return { upstream: { model: "m", ...upstream }, path: "/completions", body: Buffer.from("{}"), signal, timeoutMs: 5_000 };
}

test("an engine that does not begin in time is a timeout, and so is one that does not finish", async () => {
  const slow = await startEngine(); // of its own: a request that ends before it arrives takes none of the answers
  slow.next((outgoing) => outgoing.writeHead(200, { "content-type": "application/json" }).write("{"));
  const late = { code: "timeout", status: 504 };

  await expect(open(ANY).post({ ...requestTo({ url: slow.url }), timeoutMs: 200 })).rejects.toMatchObject(late);
  slow.next(() => {});
  await expect(open(ANY).post({ ...requestTo({ url: slow.url }), timeoutMs: 20 })).rejects.toMatchObject(late);
  await slow.close();
});

test("a credential is sent to an origin that it is bound to, and to no other, even if a version says so", async () => {
  engine.next(answerJson(200, {}));
  const upstream = { url: engine.url, credential: "WEIR_UPSTREAM_A" };
  const refused = { code: "unavailable", message: "The engine behind this model may not be called from here." };

  await open({ origins: [], credentials: boundTo(originOf(engine)) }).post(requestTo(upstream));
  await expect(open({ origins: "*", credentials: boundTo(originOf(other)) }).post(requestTo(upstream))).rejects.toMatchObject(refused);
  await expect(open(ANY).post(requestTo(upstream))).rejects.toMatchObject(refused);

  expect(engine.asked.map(({ headers }) => headers.authorization)).toEqual(["Bearer secret"]);
});

test("a redirect is not followed, so a credential does not travel with it", async () => {
  engine.next((outgoing) => outgoing.writeHead(307, { location: `${other.url}/completions` }).end());

  const answer = await open({ origins: "*", credentials: boundTo(originOf(engine)) }).post(
    requestTo({ url: engine.url, credential: "WEIR_UPSTREAM_A" }),
  );

  expect(answer.status).toBe(307);
  expect(other.asked).toEqual([]);
});

test("an engine that nobody has named and that is not public is not called, whatever was published before", async () => {
  await expect(open({ origins: [], credentials: new Map() }).post(requestTo({ url: engine.url }))).rejects.toMatchObject({
    code: "unavailable",
    cause: { message: expect.stringContaining("WEIR_ENGINE_ORIGINS") },
  });

  expect(engine.asked).toEqual([]);
});

test.each([["127.0.0.1"], ["::ffff:127.0.0.1"]])("a name that leads to %s by now is not connected to", async (address) => {
  let connections = 0;
  const inside = createServer(() => {
    connections += 1;
  }).listen(0, "127.0.0.1");
  await new Promise((done) => inside.once("listening", done));
  const looked: string[] = [];
  const resolve = async (host: string) => {
    looked.push(host);
    return ["93.184.216.34", address];
  };

  const posted = open({ origins: [], credentials: new Map() }, resolve).post(
    requestTo({ url: `https://engine.example.com:${portOf(inside.address())}/v1` }),
  );

  await expect(posted).rejects.toMatchObject({ code: "unavailable", message: "The engine behind this model cannot be reached." });
  expect([looked, connections]).toEqual([["engine.example.com"], 0]);
  inside.close();
});
