import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Failure } from "../../../shared/base/failure.ts";
import type { CallLimits } from "../../../shared/inference/contract.ts";
import { hangsAfter, runGeneration } from "../../../test/harness/generation-double.ts";
import { runModel } from "../../../test/harness/model-double.ts";
import { type Serving, startServing } from "../../../test/harness/serving.ts";
import { REQUEST_TIMEOUT_MS, STREAM_TIMEOUT_MS } from "../../limits.ts";

let weir: Serving;
beforeAll(async () => {
  weir = await startServing();
});
afterAll(() => weir.close());
beforeEach(async () => {
  await weir.newRows();
});

const INPUTS = [{ name: "text", shape: [1], datatype: "BYTES", data: ["x"] }];
const infer = (timeout: unknown, headers: Record<string, string> = {}) =>
  weir.post("/v2/models/sentiment/infer", { inputs: INPUTS, parameters: { timeout } }, headers);
const generate = (timeout: unknown, path = "generate") =>
  weir.post(`/v2/models/smol/${path}`, { text_input: "x", parameters: { timeout } });

async function limitsOf(ask: () => Promise<Response>): Promise<CallLimits | undefined> {
  let given: CallLimits | undefined;
  weir.model.next((request, limits) => {
    given = limits;
    return runModel(request);
  });
  expect((await ask()).status).toBe(200);
  return given;
}

async function generationLimitsOf(ask: () => Promise<Response>): Promise<CallLimits | undefined> {
  let given: CallLimits | undefined;
  weir.model.nextGeneration((call, limits) => {
    given = limits;
    return runGeneration(call, limits);
  });
  const answer = await ask();
  expect(answer.status).toBe(200);
  await answer.text();
  return given;
}

test.each([
  ["seconds", 2_000_000, {}, 2_000],
  ["less than a millisecond", 1, {}, 1],
  ["0, which is nothing", 0, {}, REQUEST_TIMEOUT_MS],
  ["more than the gateway waits", 3_600_000_000, {}, REQUEST_TIMEOUT_MS],
  ["more than the header", 5_000_000, { "weir-timeout": "2" }, 2_000],
  ["less than the header", 2_000_000, { "weir-timeout": "5" }, 2_000],
])("a timeout of %s is how long a model may work", async (_, timeout, headers: Record<string, string>, timeoutMs) => {
  expect(await limitsOf(() => infer(timeout, headers))).toMatchObject({ timeoutMs });
});

test("it is a generation's, too, and a stream's whole length", async () => {
  expect(await generationLimitsOf(() => generate(2_000_000))).toMatchObject({ timeoutMs: 2_000 });
  expect(await generationLimitsOf(() => generate(2_000_000, "generate_stream"))).toMatchObject({ timeoutMs: 2_000 });
  expect(await generationLimitsOf(() => generate(7_200_000_000, "generate_stream"))).toMatchObject({ timeoutMs: STREAM_TIMEOUT_MS });
  expect(await generationLimitsOf(() => generate(null, "generate_stream"))).toMatchObject({ timeoutMs: STREAM_TIMEOUT_MS });
});

test("what is not done by then is 504 in the protocol's form, and costs nothing", async () => {
  weir.model.next(async (_request, { timeoutMs }) => {
    await new Promise((resolve) => setTimeout(resolve, timeoutMs));
    throw new Failure("timeout", "The model did not answer in time.");
  });
  const inferred = await infer(20_000);
  weir.model.nextGeneration(hangsAfter());
  const generated = await generate(20_000);

  expect([inferred.status, generated.status]).toEqual([504, 504]);
  expect(await inferred.json()).toEqual({ error: "The model did not answer in time." });
  expect(await generated.json()).toEqual({ error: expect.stringContaining("in time") });
  expect(await weir.newRows()).toEqual([]);
});

test.each([-1, 1.5, "1000", true, 1e300])("a timeout of %s is refused by name, and nothing is asked", async (timeout) => {
  const asked = weir.model.asked.length;

  const answers = await Promise.all([infer(timeout), generate(timeout), generate(timeout, "generate_stream")]);

  for (const answer of answers) {
    expect(answer.status).toBe(400);
    expect(await answer.json()).toEqual({ error: expect.stringContaining("parameters.timeout") });
  }
  expect(weir.model.asked).toHaveLength(asked);
  expect(await weir.newRows()).toEqual([]);
});
