import OpenAI from "openai";
import { parseList } from "structured-headers";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type Serving, startServing } from "../../test/harness/serving.ts";
import { isOfADay } from "./limit-rate.ts";

let weir: Serving;
beforeAll(async () => {
  weir = await startServing();
});
afterAll(() => weir.close());
beforeEach(async () => {
  await weir.newRows();
});

async function keyOf(tenant: string, rate: { requestsPerSecond: number; burst: number }) {
  await weir.makeTenant(tenant, rate);
  return weir.makeKey(tenant, "infer");
}

const embed = (key: string) => weir.post("/v1/embeddings", { model: "minilm", input: "x" }, { authorization: `Bearer ${key}` });

test("a tenant gets its burst and then 429 with the time to come back, and refusals are not metered", async () => {
  const key = await keyOf("bursty", { requestsPerSecond: 2, burst: 3 });

  const answers = [];
  for (let turn = 0; turn < 5; turn += 1) answers.push(await embed(key));

  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429, 429]);
  const [refused] = answers.slice(3);
  expect(refused?.headers.get("retry-after")).toBe("1");
  expect(await refused?.json()).toMatchObject({ error: { type: "rate_limit_error", code: "rate_limit_exceeded" } });
  expect(await weir.newRows()).toHaveLength(3);
});

test("a refusal is a problem of the draft's type in every dialect, beside the dialect's own words, and names the policy as the headers do", async () => {
  const key = await keyOf("refused", { requestsPerSecond: 1, burst: 1 });
  await embed(key);

  for (const [path, words] of [
    ["/v1/embeddings", { error: { code: "rate_limit_exceeded" } }],
    ["/hf/minilm", { error_type: "rate_limited" }],
    ["/v2/models/minilm/infer", { error: expect.any(String) }],
  ] as const) {
    const refused = await weir.post(path, {}, { authorization: `Bearer ${key}` });
    const policies = parseList(refused.headers.get("ratelimit-policy") ?? "").map(([name]) => name);
    const problem = await refused.json();

    expect(refused.headers.get("content-type")).toBe("application/problem+json");
    expect(problem).toMatchObject({ status: 429, title: expect.any(String), detail: expect.stringContaining("'requests'"), ...words });
    expect(problem).toMatchObject({ type: "https://iana.org/assignments/http-problem-types#quota-exceeded" });
    expect(policies).toEqual(expect.arrayContaining((problem as { "violated-policies": string[] })["violated-policies"]));
  }
});

test("time gives back what the rate says, no more", async () => {
  const key = await keyOf("patient", { requestsPerSecond: 2, burst: 3 });
  for (let turn = 0; turn < 4; turn += 1) await embed(key);

  weir.clock.advance(1_000);

  expect((await Promise.all([embed(key), embed(key), embed(key)])).map(({ status }) => status).toSorted()).toEqual([200, 200, 429]);
});

test("RateLimit headers are structured fields of the draft, on answers and refusals", async () => {
  const key = await keyOf("curious", { requestsPerSecond: 2, burst: 3 });

  const first = await embed(key);
  await embed(key);
  await embed(key);
  const refused = await embed(key);

  const fieldOf = (answer: Response, name: string) => parseList(answer.headers.get(name) ?? "");
  expect(fieldOf(first, "ratelimit-policy")).toEqual([["requests", new Map([["q", 3], ["w", 2]])]]); // biome-ignore format: a policy is one line
  expect(fieldOf(first, "ratelimit")).toEqual([["requests", new Map([["r", 2], ["t", 1]])]]); // biome-ignore format: a policy is one line
  expect(fieldOf(refused, "ratelimit")).toEqual([["requests", new Map([["r", 0], ["t", 1]])]]); // biome-ignore format: a policy is one line
});

test("the official client waits as it is told and then succeeds", async () => {
  const key = await keyOf("official", { requestsPerSecond: 1, burst: 1 });
  const waits: string[] = [];
  const client = new OpenAI({
    baseURL: `${weir.url}/v1`,
    apiKey: key,
    maxRetries: 1,
    fetch: async (url, init) => {
      const answer = await fetch(url, init);
      if (answer.status !== 429) return answer;
      waits.push(answer.headers.get("retry-after") ?? "");
      weir.clock.advance(1_000);
      return new Response(null, { status: 429, headers: { "retry-after-ms": "1" } }); // the clock stands, so nobody needs to wait
    },
  });
  await client.embeddings.create({ model: "minilm", input: "x" });

  const second = await client.embeddings.create({ model: "minilm", input: "x" });

  expect(second.data).toHaveLength(1);
  expect(waits).toEqual(["1"]);
});

test("who has used up a day may look at it, and revoke the key that did", async () => {
  await weir.makeTenant("spent", { requestsPerSecond: 100, burst: 100 }, { requestsPerDay: 1 });
  const key = await weir.makeKey("spent", "infer", "usage", "keys");
  const ask = (path: string, method: string) => fetch(`${weir.url}${path}`, { method, headers: { authorization: `Bearer ${key}` } });
  await embed(key);

  const refused = await embed(key);
  const limits = await ask("/v1/limits", "GET");
  const revoked = await ask(`/v1/keys/${key.split("_")[3]}`, "DELETE");

  expect(await refused.json()).toMatchObject({ "violated-policies": ["daily"] });
  expect(await limits.json()).toMatchObject({ items: [{ name: "requests" }, { name: "daily", remaining: 0 }] });
  expect(await revoked.json()).toMatchObject({ isRevoked: true });
});

test("a day counts inferences: of all that is described, what needs the scope `infer` but a quote", async () => {
  const { paths } = (await (await fetch(`${weir.url}/openapi.json`)).json()) as { paths: Record<string, Record<string, object>> };
  const needsKey = Object.entries(paths).flatMap(([path, methods]) =>
    Object.values(methods).flatMap((method) =>
      "security" in method && "description" in method ? [{ path, said: method.description }] : [],
    ),
  );

  const wrong = needsKey.filter(({ path, said }) => isOfADay(path) !== (`${said}`.includes("scope `infer`") && path !== "/v1/price"));

  expect(needsKey.length).toBeGreaterThan(80);
  expect(wrong).toEqual([]);
});

test("what another limit refuses is no request of the day", async () => {
  await weir.makeTenant("eager", { requestsPerSecond: 100, burst: 100 }, { requestsPerDay: 2, tokensPerMinute: 20 });
  const key = await weir.makeKey("eager", "infer");
  const embedMuch = () => weir.post("/v1/embeddings", { model: "minilm", input: "x".repeat(47) }, { authorization: `Bearer ${key}` });
  await embed(key);

  const tooMuch = [await embedMuch(), await embedMuch()];
  const later = [await embed(key), await embed(key)];

  expect(await Promise.all(tooMuch.map((answer) => answer.json()))).toMatchObject(Array(2).fill({ "violated-policies": ["tokens"] }));
  expect(later.map(({ status }) => status)).toEqual([200, 429]);
  expect(await later[1]?.json()).toMatchObject({ "violated-policies": ["daily"] });
});

test("one tenant's flood does not touch another", async () => {
  const [loud, quiet] = [await keyOf("loud", { requestsPerSecond: 1, burst: 1 }), await keyOf("quiet", { requestsPerSecond: 1, burst: 1 })];
  await Promise.all(Array.from({ length: 20 }, () => embed(loud)));

  expect((await embed(quiet)).status).toBe(200);
});
