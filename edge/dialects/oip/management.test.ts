import { afterAll, beforeAll, expect, test } from "vitest";
import { Failure } from "../../../shared/base/failure.ts";
import { DIMENSIONS, fails, LABELS } from "../../../test/harness/model-double.ts";
import { EMBED, type Serving, startServing } from "../../../test/harness/serving.ts";
import { createStatisticsKeeper } from "./statistics.ts";

let weir: Serving;
beforeAll(async () => {
  weir = await startServing();
});
afterAll(() => weir.close());

const jsonOf = async (answer: Promise<Response>): Promise<unknown> => (await answer).json();
const text = (...data: string[]) => ({ inputs: [{ name: "text", shape: [data.length], datatype: "BYTES", data }] });
const none = { count: 0, ns: 0 };

test("a model's config says both levels as Triton does, without the batch", async () => {
  expect(await jsonOf(weir.get("/v2/models/sentiment/config"))).toEqual({
    name: "sentiment",
    platform: "onnxruntime_onnx",
    backend: "onnxruntime",
    version_policy: { specific: { versions: [1] } },
    max_batch_size: 2_048,
    input: ["text", "text_pair", "input_ids", "attention_mask"].map((name) => ({
      ...{ name, data_type: name.startsWith("text") ? "TYPE_STRING" : "TYPE_INT64", format: "FORMAT_NONE", optional: true },
      dims: name.startsWith("text") ? [1] : [-1],
    })),
    output: [
      { name: "scores", data_type: "TYPE_FP32", dims: [LABELS.length] },
      { name: "label", data_type: "TYPE_STRING", dims: [1] },
      { name: "logits", data_type: "TYPE_FP32", dims: [LABELS.length] },
    ],
    default_model_filename: "model.onnx",
    parameters: expect.objectContaining({
      pool: { string_value: "cpu" },
      head: { string_value: "classify" },
      tokens_max: { string_value: "16" },
    }),
  });
  expect(await jsonOf(weir.get("/v2/models/minilm/versions/2/config"))).toMatchObject({
    version_policy: { specific: { versions: [2] } },
    output: [{ name: "embedding", dims: [DIMENSIONS] }],
  });
});

test("the index lists what the tenant may call, the newest version first", async () => {
  const index = await jsonOf(weir.post("/v2/repository/index", "", { "content-type": "" }));

  expect(index).toEqual([
    { name: "minilm", version: "2", state: "READY", reason: "" },
    { name: "minilm", version: "1", state: "READY", reason: "" },
    { name: "sentiment", version: "1", state: "READY", reason: "" },
    { name: "smol", version: "1", state: "READY", reason: "" },
  ]);
  expect(await jsonOf(weir.post("/v2/repository/index", { ready: true }))).toEqual(index);
  expect((await weir.post("/v2/repository/index", { ready: "yes" })).status).toBe(400);
});

test("a version whose pool is elsewhere is not ready, cannot be loaded, and is listed as unavailable with the reason", async () => {
  await weir.addVersion("distant", { facts: EMBED, placement: { pool: "moon", dtype: "fp32" } });

  for (const answer of [await weir.get("/v2/models/distant/ready"), await weir.post("/v2/repository/models/distant/load", {})]) {
    expect([answer.status, await answer.json()]).toEqual([503, { error: expect.stringContaining("'moon'") }]);
  }
  const entry = { name: "distant", version: "1", state: "UNAVAILABLE", reason: "its pool 'moon' is not at this gateway" };
  expect(await jsonOf(weir.post("/v2/repository/index", {}))).toContainEqual(entry);
  expect(await jsonOf(weir.post("/v2/repository/index", { ready: true }))).not.toContainEqual(entry);
});

test("loading a model that is ready succeeds, and nothing can be put into it or taken out", async () => {
  const load = (model: string, body: unknown) => weir.post(`/v2/repository/models/${model}/load`, body);
  const unload = (model: string) => weir.post(`/v2/repository/models/${model}/unload`, { parameters: { unload_dependents: false } });

  expect(await jsonOf(load("minilm", ""))).toEqual({ name: "minilm", load: true });
  expect(await jsonOf(load("minilm%402", {}))).toEqual({ name: "minilm", load: true });
  expect((await load("minilm", { parameters: { config: "{}" } })).status).toBe(400);
  expect((await load("hidden", {})).status).toBe(404);
  const refused = await unload("minilm");
  expect([refused.status, await refused.json()]).toEqual([400, { error: expect.stringContaining("cannot be unloaded by its callers") }]);
  expect((await unload("hidden")).status).toBe(404);
});

test("statistics count the tenant's own requests, those that failed on their way too", async () => {
  const other = { authorization: `Bearer ${await weir.makeKey("globex", "infer")}` };
  weir.model.next(async () => {
    weir.clock.advance(5);
    throw new Failure("engine_failed", "no");
  });
  await weir.post("/v2/models/minilm/infer", text("x"));
  await weir.post("/v2/models/minilm/infer", text("x", "y"));
  await weir.post("/v2/models/minilm/infer", text(""));
  await weir.post("/v2/models/minilm/infer", text("x"), other);
  await weir.post("/v2/models/smol/generate", { text_input: "a weir" });

  const { model_stats: ofModel } = (await jsonOf(weir.get("/v2/models/minilm/stats"))) as { model_stats: { version: string }[] }; // as matched below
  const all = await jsonOf(weir.get("/v2/models/stats"));

  const success = { count: 1, ns: expect.any(Number) };
  expect(ofModel.find(({ version }) => version === "1")).toMatchObject({
    name: "minilm",
    last_inference: weir.clock.nowMs(),
    inference_count: 2,
    execution_count: 1,
    inference_stats: { success, fail: { count: 1, ns: 5_000_000 }, queue: { count: 1, ns: 0 }, compute_infer: { count: 1, ns: 3_400_000 } },
  });
  expect(ofModel.find(({ version }) => version === "2")).toMatchObject({
    last_inference: 0,
    inference_stats: { success: none, fail: none },
  });
  expect(all).toMatchObject({
    model_stats: [
      { name: "minilm", version: "1", inference_count: 2 },
      { name: "smol", inference_count: 1 },
    ],
  });
  expect(await jsonOf(weir.get("/v2/models/stats", other))).toMatchObject({ model_stats: [{ name: "minilm", inference_count: 1 }] });
  expect((await weir.get("/v2/models/hidden/stats")).status).toBe(404);
  expect(await jsonOf(weir.get("/v2/models/minilm/versions/2/stats"))).toMatchObject({ model_stats: [{ version: "2" }] });
});

test("statistics hold a bounded number of counters, and forget the one that was touched first", () => {
  const keeper = createStatisticsKeeper();
  const counted = (version: number) => ({ tenant: "acme", model: "minilm", version });

  for (let version = 1; version <= 10_001; version += 1) keeper.answered(counted(version), { atMs: 1, inputs: 1, totalMs: 1 });

  expect(keeper.all({ tenant: "acme" })).toHaveLength(10_000);
  expect(keeper.of(counted(1)).inference_count).toBe(0);
  expect(keeper.of(counted(10_001)).inference_count).toBe(1);
});

test.each([
  ["an organisation's name, quoted", "/v2/models/org%2Fname"],
  ["an organisation's name, as it is", "/v2/models/org/name"],
  ["a broken quote", "/v2/models/%E0%A4%A"],
  ["a path of nobody", "/v2/trace/setting"],
])("%s is not found in the protocol's form", async (_, path) => {
  const answer = await weir.get(path);

  expect([answer.status, await answer.json()]).toEqual([404, { error: expect.any(String) }]);
});

test("a reference may be quoted whole", async () => {
  expect(await jsonOf(weir.get("/v2/models/minilm%402/ready"))).toEqual({ name: "minilm", ready: true });
});

test("an engine's failure keeps its status and the protocol's form", async () => {
  weir.model.next(fails(new Failure("overloaded", "full", { retryAfterMs: 2_000 })));

  const answer = await weir.post("/v2/models/minilm/infer", text("x"));

  expect([answer.status, answer.headers.get("retry-after"), await answer.json()]).toEqual([429, "2", { error: "full" }]);
});
