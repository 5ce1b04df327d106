import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { CallLimits } from "../../shared/inference/contract.ts";
import { type Generate, hangsAfter, runGeneration } from "../../test/harness/generation-double.ts";
import { runModel } from "../../test/harness/model-double.ts";
import { type Serving, startServing } from "../../test/harness/serving.ts";
import { createApp } from "../app.ts";
import { IDLE_TIMEOUT_MS, REQUEST_TIMEOUT_MS, SETTLE_TIMEOUT_MS, STREAM_TIMEOUT_MS } from "../limits.ts";

/** A deployment with nothing in front of it that minds a long silence. */
const LONGEST_MS = 570_000;

let weir: Serving;
beforeAll(async () => {
  weir = await startServing({ WEIR_GENERATION_SECONDS: "570" });
});
afterAll(() => weir.close());
beforeEach(async () => {
  await weir.newRows();
});

const BODY = { model: "smol", prompt: "a weir stands" };

/** What a generation was given, by whatever generates it. */
async function givenBy(ask: () => Promise<Response>, generate: Generate = runGeneration) {
  let given: (CallLimits & { readonly withinMs: number | undefined }) | undefined;
  weir.model.nextGeneration((call, limits) => {
    given = { ...limits, withinMs: call.body.withinMs };
    return generate(call, limits);
  });
  const answer = await ask();
  return { status: answer.status, body: await answer.text(), given };
}

test.each([
  ["nothing", {}, LONGEST_MS],
  ["ten minutes, as OpenAI's clients do", { "x-stainless-timeout": "600" }, LONGEST_MS],
  ["five minutes", { "weir-timeout": "300" }, 300_000],
  ["ten seconds", { "weir-timeout": "10" }, 10_000],
])("whose client says %s may be given a whole answer for as long", async (_, headers: Record<string, string>, timeoutMs) => {
  const { status, given } = await givenBy(() => weir.post("/v1/completions", BODY, headers));

  expect(status).toBe(200);
  expect(given).toMatchObject({ timeoutMs, withinMs: timeoutMs - 2_000 });
});

test("streams and other tasks have the time that they have everywhere", async () => {
  let embedded: CallLimits | undefined;
  weir.model.next((request, limits) => {
    embedded = limits;
    return runModel(request);
  });
  await weir.post("/v1/embeddings", { model: "minilm", input: "x" });
  const streamed = await givenBy(() => weir.post("/v1/completions", { ...BODY, stream: true }));

  expect(embedded?.timeoutMs).toBe(REQUEST_TIMEOUT_MS);
  expect(streamed.given).toMatchObject({ timeoutMs: STREAM_TIMEOUT_MS, withinMs: undefined });
});

test("a generation has to begin in its caller's time all the same, or it is 504", async () => {
  const { status } = await givenBy(() => weir.post("/v1/completions", BODY, { "weir-timeout": "1" }), hangsAfter());

  expect(status).toBe(504);
  expect(await weir.newRows()).toEqual([]);
});

test("while a whole generation is waited for its connection may be silent, and before its answer is read it may not any more", async () => {
  const allowedMs: number[] = [];
  const socket = { setTimeout: (ms: number) => allowedMs.push(ms) };
  const headers = { authorization: `Bearer ${weir.key}` };
  const post = (body: object) =>
    createApp(weir.deps).request("/v1/completions", { method: "POST", headers, body: JSON.stringify(body) }, { incoming: { socket } });

  const answer = await post(BODY);
  await answer.text();
  await (await post({ ...BODY, stream: true })).text();

  expect(answer.status).toBe(200);
  expect(allowedMs).toEqual([LONGEST_MS + SETTLE_TIMEOUT_MS, IDLE_TIMEOUT_MS]);
});
