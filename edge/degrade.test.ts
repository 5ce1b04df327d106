import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Failure } from "../shared/base/failure.ts";
import type { CallLimits } from "../shared/inference/contract.ts";
import { failsAfter } from "../test/harness/generation-double.ts";
import { fails, hangs, runModel } from "../test/harness/model-double.ts";
import { EMBED, GENERATE, type Serving, startServing } from "../test/harness/serving.ts";

/** As client.lambda.ts says of a pool that wakes. */
const asleep = new Failure("unavailable", "The inference function is waking.", { retryAfterMs: 5_000 });
const broken = new Failure("engine_failed", "The inference function broke off.");

let weir: Serving;
beforeAll(async () => {
  weir = await startServing();
  const twoFiles = { ...EMBED, dtypes: ["fp32" as const, "q8" as const] };
  await weir.addVersion("wide", { facts: EMBED, placement: { pool: "edge", dtype: "fp32" } });
  const fallbacks = [{ pool: "cpu", dtype: "q8" as const }, { version: 1 }];
  await weir.addVersion("wide", { facts: twoFiles, placement: { pool: "gpu", dtype: "fp32", fallbacks } });
  await weir.setShares("wide", [{ version: 2, shareBps: 10_000 }]);
  await weir.addVersion("teller", {
    facts: GENERATE,
    placement: { pool: "gpu", dtype: "fp32", fallbacks: [{ pool: "cpu", dtype: "fp32" }] },
  });
});
afterAll(() => weir.close());
beforeEach(async () => {
  await Promise.all([embed(), tell()]); // what the test before it broke is well again
  for (const pool of [weir.gpu, weir.model, weir.edge]) pool.asked.length = pool.generations.length = 0;
  await weir.newRows();
});

const embed = (headers: Record<string, string> = {}) => weir.post("/v1/embeddings", { model: "wide", input: "x" }, headers);
const tell = (more: object = {}) => weir.post("/v1/completions", { model: "teller", prompt: "a weir stands", ...more });
const said = (answer: Response) => ["weir-model", "weir-arm", "weir-tier", "weir-degraded"].map((name) => answer.headers.get(name));

test("a version in its own place says so, and nothing of degrading", async () => {
  const answer = await embed();

  expect(said(answer)).toEqual(["wide@2", "stable", "gpu", null]);
  expect(await weir.newRows()).toMatchObject([{ v: "2", sv: "2", tr: "gpu" }]);
});

test("a pool that is asleep hands over to the version's other file, and headers and row say who served", async () => {
  weir.gpu.next(fails(asleep));

  const answer = await embed();

  expect(answer.status).toBe(200);
  expect(said(answer)).toEqual(["wide@2", "stable", "cpu", "gpu unavailable"]);
  expect(weir.model.asked).toMatchObject([{ version: 2, dtype: "q8" }]);
  expect(await weir.newRows()).toMatchObject([{ v: "2", sv: "2", tr: "cpu", ab: "stable", st: "S" }]);
});

test("an older version that stands in answers under its own name, and the row keeps both", async () => {
  weir.gpu.next(fails(asleep));
  weir.model.next(fails(new Failure("overloaded", "Full.")));

  const answer = await embed();

  expect(said(answer)).toEqual(["wide@1", "stable", "edge", "gpu unavailable, cpu overloaded"]);
  expect(await answer.json()).toMatchObject({ model: "wide@1" });
  expect(await weir.newRows()).toMatchObject([{ v: "2", sv: "1", tr: "edge" }]);
});

test("when nobody can, the answer is 503 with the earliest time to come back, and no row", async () => {
  weir.gpu.next(fails(asleep));
  weir.model.next(fails(new Failure("overloaded", "Full.", { retryAfterMs: 2_000 })));
  weir.edge.next(fails(broken));

  const answer = await embed();

  expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "2"]);
  expect(await answer.json()).toMatchObject({
    error: { message: "The inference function is waking. Its fallbacks cannot answer either: cpu overloaded, edge failed." },
  });
  expect(await weir.newRows()).toEqual([]);
});

test("numbers that are none are handed over like any failure of the engine", async () => {
  weir.gpu.next(async (request) => {
    const result = await runModel(request);
    if (result.body.task === "embed") result.body.vectors[0] = Number.POSITIVE_INFINITY;
    return result;
  });

  expect(said(await embed())).toEqual(["wide@2", "stable", "cpu", "gpu failed"]);
  expect(await weir.newRows()).toHaveLength(1);
});

test("what the caller did wrong is told at once, and no other pool is asked", async () => {
  const answer = await weir.post("/v1/embeddings", { model: "wide", input: "a ".repeat(30) });

  expect(answer.status).toBe(400);
  expect(weir.model.asked).toEqual([]);
});

test("a caller who leaves takes the request along from a fallback, too", async () => {
  const controller = new AbortController();
  weir.gpu.next(fails(asleep));
  const arrived = new Promise<CallLimits>((resolve) => {
    weir.model.next((request, limits) => {
      resolve(limits);
      return hangs(request, limits);
    });
  });
  const asked = fetch(`${weir.url}/v1/embeddings`, {
    method: "POST",
    headers: { authorization: `Bearer ${weir.key}` },
    body: JSON.stringify({ model: "wide", input: "x" }),
    signal: controller.signal,
  });
  const { signal } = await arrived;

  controller.abort();

  await expect(asked).rejects.toThrow();
  await expect.poll(() => signal.aborted).toBe(true);
  expect(weir.edge.asked).toEqual([]);
  expect(await weir.newRows()).toEqual([]);
});

test.each([{}, { stream: true }])("a generation that does not begin is handed over (%o)", async (more) => {
  weir.gpu.nextGeneration(failsAfter(asleep));

  const answer = await tell(more);

  expect(said(answer)).toEqual(["teller@1", "stable", "cpu", "gpu unavailable"]);
  expect(await answer.text()).toContain("finish_reason");
  expect(await weir.newRows()).toMatchObject([{ v: "1", sv: "1", tr: "cpu", ta: "generate" }]);
});

test("a generation that breaks off in the middle is not begun again elsewhere", async () => {
  weir.gpu.nextGeneration(failsAfter(broken, { kind: "begun", inputTokens: [3] }));

  const answer = await tell();

  expect(answer.status).toBe(502);
  expect(weir.model.generations).toEqual([]);
  expect(await weir.newRows()).toEqual([]);
});

test("a generation that nobody begins is refused, streamed or not, before any head has left", async () => {
  for (const pool of [weir.gpu, weir.model]) pool.nextGeneration(failsAfter(asleep));

  const answer = await tell({ stream: true });

  expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "5"]);
});

test("a version whose pool is elsewhere is ready if a fallback is here", async () => {
  await weir.addVersion("near", { facts: EMBED, placement: { pool: "moon", dtype: "fp32", fallbacks: [{ pool: "cpu", dtype: "fp32" }] } });

  expect((await weir.get("/v2/models/near/ready")).status).toBe(200);
  expect(
    (await weir.post("/v2/models/near/infer", { inputs: [{ name: "text", shape: [1], datatype: "BYTES", data: ["x"] }] })).status,
  ).toBe(200);
});

test("a version that its function has set aside is not ready, with the reason, until it is answered again", async () => {
  await weir.addVersion("hurt", { facts: EMBED });
  const infer = () => weir.post("/v2/models/hurt/infer", { inputs: [{ name: "text", shape: [1], datatype: "BYTES", data: ["x"] }] });
  weir.model.next(
    fails(new Failure("engine_failed", "The model is set aside as unhealthy: it ran out of memory", { retryAfterMs: 60_000 })),
  );
  expect((await infer()).status).toBe(502);

  const reason = "The model is set aside as unhealthy: it ran out of memory";
  expect(await (await weir.get("/v2/models/hurt/ready")).json()).toEqual({ error: expect.stringContaining(reason) });
  expect(await (await weir.post("/v2/repository/index", {})).json()).toContainEqual({
    name: "hurt",
    version: "1",
    state: "UNAVAILABLE",
    reason,
  });

  expect((await infer()).status).toBe(200);
  expect((await weir.get("/v2/models/hurt/ready")).status).toBe(200);
});

const limitsOf = async (headers: Record<string, string>, model = "minilm") => {
  let given: CallLimits | undefined;
  weir.model.next((request, limits) => {
    given = limits;
    return runModel(request);
  });
  const answer = await weir.post("/v1/embeddings", { model, input: "x" }, headers);
  return { status: answer.status, timeoutMs: given?.timeoutMs, answer };
};

test.each([
  ["nothing", {}, 60_000],
  ["seconds", { "weir-timeout": "2" }, 2_000],
  ["a fraction", { "weir-timeout": " 1.5 " }, 1_500],
  ["more than the gateway waits", { "weir-timeout": "600" }, 60_000],
  ["what OpenAI's client for JavaScript says", { "x-stainless-timeout": "3" }, 4_000],
  ["what OpenAI's client for Python says", { "x-stainless-read-timeout": "3.0" }, 4_000],
  ["ten minutes, OpenAI's default", { "x-stainless-timeout": "600" }, 60_000],
  ["no number from a client", { "x-stainless-read-timeout": "None" }, 60_000],
  ["its own word before its client's", { "weir-timeout": "9", "x-stainless-timeout": "1" }, 9_000],
])("a caller who says %s is waited for as long", async (_, headers: Record<string, string>, timeoutMs) => {
  expect(await limitsOf(headers)).toMatchObject({ status: 200, timeoutMs });
});

test.each(["0", "0.5", "-1", "soon", "", "1e3", "9".repeat(40), "NaN"])("a Weir-Timeout of '%s' is refused by name", async (timeout) => {
  const { status, answer } = await limitsOf({ "weir-timeout": timeout });

  expect(status).toBe(400);
  expect(await answer.json()).toMatchObject({ error: { param: "Weir-Timeout", code: "invalid_request" } });
  await weir.post("/v1/embeddings", { model: "minilm", input: "x" }); // takes what the double was told
});

test("a pool that failed too often is left alone, and the status says why", async () => {
  const operator = { authorization: `Bearer ${await weir.makeKey("operators", "operate")}` };
  for (let time = 0; time < 5; time += 1) {
    weir.gpu.next(fails(asleep));
    await embed();
  }
  weir.gpu.asked.length = 0;

  const answer = await embed();

  expect(said(answer)).toEqual(["wide@2", "stable", "cpu", "gpu open"]);
  expect(weir.gpu.asked).toEqual([]);
  expect(weir.deps.breakers.poolOf("gpu")).toMatchObject({ state: "open", reason: asleep.message });
  expect((await weir.get("/admin/status", operator)).status).toBe(200);
  expect(weir.logged).toContainEqual({ level: "warn", message: "a circuit breaker opens" });
});
