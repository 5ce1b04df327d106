import { parseList } from "structured-headers";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Failure } from "../../shared/base/failure.ts";
import type { GenerateEvent } from "../../shared/inference/generation.ts";
import type { TenantLimits } from "../../shared/limits/policy.ts";
import { failsAfter, hangsAfter } from "../../test/harness/generation-double.ts";
import { type Serving, startServing } from "../../test/harness/serving.ts";

let weir: Serving;
beforeAll(async () => {
  weir = await startServing();
});
afterAll(() => weir.close());
beforeEach(async () => {
  weir.model.generations.length = 0;
  await weir.newRows();
});

const RATE = { requestsPerSecond: 1_000, burst: 1_000 };
const begun: GenerateEvent = { kind: "begun", inputTokens: [4] };
const said: GenerateEvent = { kind: "text", choice: 0, text: "a", tokens: 1 };

/** Asks as a tenant of its own. */
async function tenantWith(id: string, limits: TenantLimits) {
  await weir.makeTenant(id, RATE, limits);
  const authorization = `Bearer ${await weir.makeKey(id, "infer", "usage")}`;
  const left = new AbortController();
  const complete = (more: object = {}) =>
    weir.post("/v1/completions", { model: "smol", prompt: "a weir", max_tokens: 4, ...more }, { authorization });
  const stream = () =>
    fetch(`${weir.url}/v1/completions`, {
      method: "POST",
      headers: { authorization, "content-type": "application/json" },
      body: JSON.stringify({ model: "smol", prompt: "a weir", max_tokens: 4, stream: true }),
      signal: left.signal,
    });
  return { authorization, complete, stream, leave: () => left.abort() };
}

/** What the header says of one policy. */
function stateOf(answer: Response, name: string) {
  const item = parseList(answer.headers.get("ratelimit") ?? "").find(([each]) => each === name);
  return item === undefined ? undefined : Object.fromEntries(item[1]);
}

test("streams hold their slot until they end; who comes meanwhile is refused by name, and nothing is stored or begun", async () => {
  const { complete, stream } = await tenantWith("narrow", { concurrentRequests: 1 });
  let release = () => {};
  weir.model.nextGeneration(async function* held() {
    yield begun;
    yield said;
    await new Promise<void>((resolve) => {
      release = resolve;
    });
    yield { kind: "finished", choice: 0, finish: { reason: "stop" } };
    yield { kind: "done", outputTokens: [1], queueMs: 0, runMs: 1 };
  });
  const streamed = await stream();
  const items = (await weir.ledgerItems()).length;

  const refused = await complete();

  expect(refused.status).toBe(429);
  expect(refused.headers.get("retry-after")).toBe("1");
  expect(await refused.json()).toMatchObject({ error: { message: expect.stringMatching(/'concurrency'.*1 requests at the same time/) } });
  expect(stateOf(refused, "concurrency")).toEqual({ r: 0, t: 1 });
  expect(await weir.ledgerItems()).toHaveLength(items);
  expect(weir.model.generations).toHaveLength(1);
  release();
  await streamed.text();
  weir.clock.advance(200);
  await expect.poll(async () => (await complete()).status).toBe(200);
});

test("a caller who leaves frees its slot", async () => {
  const { complete, stream, leave } = await tenantWith("leaving", { concurrentRequests: 1 });
  weir.model.nextGeneration(hangsAfter(begun, said));
  await stream();
  expect((await complete()).status).toBe(429);

  leave();

  await expect
    .poll(async () => {
      weir.clock.advance(100);
      return (await complete()).status;
    })
    .toBe(200);
});

test("a request that fails frees its slot and gives all of its tokens back", async () => {
  const { complete } = await tenantWith("failing", { concurrentRequests: 1, tokensPerMinute: 600 });
  weir.model.nextGeneration(failsAfter(new Failure("invalid_request", "no"), begun));

  const failed = await complete();
  weir.clock.advance(200);
  const answered = await complete();

  expect([failed.status, answered.status]).toEqual([400, 200]);
  expect(stateOf(failed, "tokens")?.["r"]).toBeLessThan(590);
  expect(stateOf(answered, "tokens")?.["r"]).toBe(Number(stateOf(failed, "tokens")?.["r"]) + 2); // time has brought 2
});

test("tokens are estimated before the work and corrected after it", async () => {
  const { authorization, complete } = await tenantWith("counted", { tokensPerMinute: 600 });

  const first = await complete();
  const second = await complete();

  const estimate = Math.ceil(Buffer.byteLength(JSON.stringify({ model: "smol", prompt: "a weir", max_tokens: 4 })) / 4) + 4;
  expect(parseList(first.headers.get("ratelimit-policy") ?? "")).toEqual([
    ["requests", new Map([["q", 1_000], ["w", 1]])], // biome-ignore format: a policy is one line
    ["tokens", new Map<string, number | string>([["q", 600], ["w", 60], ["weir-unit", "tokens"]])], // biome-ignore format: a policy is one line
  ]);
  expect(stateOf(first, "tokens")).toMatchObject({ r: 600 - estimate });
  expect(stateOf(second, "tokens")).toMatchObject({ r: 600 - 6 - estimate }); // two words read, four written
  expect(authorization).toContain("Bearer");
});

test("a spent minute refuses with the time until there is enough, and tasks that only read count, too", async () => {
  const { authorization, complete } = await tenantWith("spent", { tokensPerMinute: 60 });
  const embed = (input: string) => weir.post("/v1/embeddings", { model: "minilm", input }, { authorization });
  expect((await embed("x ".repeat(8))).status).toBe(200);

  const refused = await complete({ prompt: "w ".repeat(80) });

  expect(refused.status).toBe(429);
  const { r, t } = stateOf(refused, "tokens") ?? {};
  expect(r).toBeGreaterThan(0);
  expect(String(t)).toBe(refused.headers.get("retry-after"));
  expect(await refused.json()).toMatchObject({ error: { message: expect.stringContaining("60 tokens per minute") } });
});

test("a request that can never fit is refused for good, and one that does not say how much it wants is not", async () => {
  const { complete } = await tenantWith("small", { tokensPerMinute: 40 });

  const never = await complete({ prompt: "w ".repeat(100) });
  const open = await complete({ max_tokens: undefined });

  expect(never.status).toBe(413);
  expect(never.headers.get("retry-after")).toBeNull();
  expect(open.status).toBe(200);
  expect(weir.model.generations).toHaveLength(1);
});
