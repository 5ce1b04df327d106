import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { failsAfter, hangsAfter } from "../../test/harness/generation-double.ts";
import { DIMENSIONS, LABELS } from "../../test/harness/model-double.ts";
import { EMBED, type Serving, startServing } from "../../test/harness/serving.ts";
import { Failure } from "../base/failure.ts";
import { createHttp } from "./http.ts";
import { createOipClient, type OipClient } from "./oip.ts";
import { dataOf, integers, type OipTensor, texts } from "./oip-tensors.ts";

const TENSORS: readonly OipTensor[] = [
  { name: "x_bool", datatype: "BOOL", shape: [2], data: [true, false] },
  { name: "x_uint8", datatype: "UINT8", shape: [1], data: Uint8Array.of(255) },
  { name: "x_uint16", datatype: "UINT16", shape: [1], data: Uint16Array.of(65_535) },
  { name: "x_uint32", datatype: "UINT32", shape: [1], data: Uint32Array.of(2 ** 32 - 1) },
  { name: "x_uint64", datatype: "UINT64", shape: [1], data: BigUint64Array.of(2n ** 64n - 1n) },
  { name: "x_int8", datatype: "INT8", shape: [1], data: Int8Array.of(-128) },
  { name: "x_int16", datatype: "INT16", shape: [1], data: Int16Array.of(-32_768) },
  { name: "x_int32", datatype: "INT32", shape: [1], data: Int32Array.of(-(2 ** 31)) },
  { name: "x_int64", datatype: "INT64", shape: [2], data: BigInt64Array.of(-(2n ** 63n), 2n ** 53n + 1n) },
  { name: "x_float16", datatype: "FP16", shape: [3], data: Float32Array.of(1.5, -65_504, 0.0999755859375) },
  { name: "x_float32", datatype: "FP32", shape: [2], data: Float32Array.of(0.1, -3.4e38) },
  { name: "x_float64", datatype: "FP64", shape: [1], data: Float64Array.of(0.1) },
];
const named = (letter: string) =>
  TENSORS.map(({ name, shape }) => ({ name: name.replace("x", letter), type: name.slice(2), dims: shape.map(() => -1) }));

let weir: Serving;
let client: OipClient;
beforeAll(async () => {
  weir = await startServing();
  client = createOipClient(createHttp({ url: weir.url, key: weir.key }));
  await weir.addVersion("echo", { facts: { ...EMBED, graph: { inputs: named("x"), outputs: named("y") } } });
});
afterAll(() => weir.close());
beforeEach(() => {
  weir.model.asked.length = 0;
});

test("the server, its models and their versions say what they are", async () => {
  expect([await client.isLive(), await client.isReady()]).toEqual([true, true]);
  expect((await client.server()).extensions).toContain("binary_tensor_data");
  expect((await client.models()).models).toEqual(["echo", "minilm", "sentiment", "smol"]);
  expect(await client.metadata({ model: "minilm", version: 2 })).toMatchObject({ name: "minilm", outputs: [{ shape: [-1, DIMENSIONS] }] });
  expect(await client.config({ model: "minilm" })).toMatchObject({ backend: "onnxruntime" });
  expect(await client.isModelReady({ model: "minilm@2" })).toBe(true);
  expect(await client.index({ ready: true })).toContainEqual({ name: "minilm", version: "2", state: "READY", reason: "" });
  expect(await client.load("minilm")).toEqual({ name: "minilm", load: true });
  await expect(client.unload("minilm")).rejects.toMatchObject({ code: "invalid_request" });
  await expect(client.isModelReady({ model: "nothing" })).rejects.toMatchObject({ code: "not_found" });
});

test.each([{}, { form: "json" }, { compression: "gzip" }, { form: "json", compression: "deflate" }] as const)(
  "vectors and labels come typed, sent as %j",
  async (how) => {
    const { outputs, ...embedded } = await client.infer({
      model: "minilm",
      version: 2,
      id: "mine",
      inputs: [texts("text", ["a", "ein Wehr 🌊"])],
      ...how,
    });
    const classified = await client.infer({ model: "sentiment", inputs: [texts("text", ["x"])], outputs: [{ name: "label" }], ...how });

    expect(embedded).toMatchObject({ model: "minilm", version: "2", id: "mine", served: { arm: "pinned", tier: "cpu" } });
    expect(dataOf(outputs, "embedding", "FP32")).toHaveLength(2 * DIMENSIONS);
    expect(classified.outputs).toHaveLength(1);
    expect(LABELS).toContain(dataOf(classified.outputs, "label", "BYTES")[0]);
    expect(weir.model.asked[0]?.body).toMatchObject({ inputs: [{ text: "a" }, { text: "ein Wehr 🌊" }] });
  },
);

test.each(["binary", "json"] as const)("tensors of every datatype go to the bare graph and come back as they were, in %s", async (form) => {
  const { outputs } = await client.infer({ model: "echo", inputs: TENSORS, form });

  expect(outputs).toEqual(TENSORS.map((tensor) => ({ ...tensor, name: tensor.name.replace("x", "y") })));
});

test("classes come as texts, and parameters as the server knows them", async () => {
  const { outputs } = await client.infer({
    model: "sentiment",
    inputs: [integers("input_ids", [1, 2], [7, 8]), integers("attention_mask", [1, 2], [1, 1])],
    outputs: [{ name: "logits", classes: 2 }],
  });
  await client.infer({ model: "minilm", inputs: [texts("text", ["x"])], parameters: { task: "zero-shot", candidate_labels: ["a", "b"] } });

  expect(dataOf(outputs, "logits", "BYTES")).toEqual([`7.5:2:${LABELS[2]}`, `7.25:1:${LABELS[1]}`]);
  expect(weir.model.asked[1]?.body).toMatchObject({ task: "zero-shot", labels: ["a", "b"] });
});

test("an output that is not there, or of another datatype, is said to be so", async () => {
  const { outputs } = await client.infer({ model: "minilm", inputs: [texts("text", ["x"])] });

  expect(() => dataOf(outputs, "embedding", "FP64")).toThrow("no output 'embedding' of FP64, but embedding (FP32)");
  expect(() => dataOf(outputs, "scores", "FP32")).toThrow("no output 'scores'");
});

test("a refusal keeps its code and the server's words", async () => {
  const asked = client.infer({ model: "minilm", inputs: [texts("text", [""])] });

  await expect(asked).rejects.toMatchObject({
    code: "invalid_request",
    message: expect.stringContaining("empty text"),
    requestId: expect.any(String),
  });
});

test("what was served is counted", async () => {
  await client.infer({ model: "minilm", version: 2, inputs: [texts("text", ["x"])] });

  const { model_stats: all } = await client.statistics();
  const { model_stats: own } = await client.statistics({ model: "minilm", version: 2 });

  expect(own).toHaveLength(1);
  expect(all).toContainEqual(own[0]);
  expect(own[0]?.inference_stats.success.count).toBeGreaterThan(0);
});

test("a text is continued as a whole, and piece by piece", async () => {
  const whole = await client.generate({ model: "smol", id: "mine", text: "a weir", parameters: { max_tokens: 4 } });

  const pieces: string[] = [];
  for await (const { text_output } of client.generateStream({ model: "smol", text: "a weir", parameters: { max_tokens: 4 } }))
    pieces.push(text_output);

  expect(whole.id).toBe("mine");
  expect(pieces).toHaveLength(5);
  expect(pieces.join("")).toBe(whole.text_output);
});

test("a stream that fails says so, before its first event and after it", async () => {
  const broken = new Failure("engine_failed", "The engine broke.");
  const take = async () => {
    const pieces: string[] = [];
    for await (const { text_output } of client.generateStream({ model: "smol", text: "x" })) pieces.push(text_output);
    return pieces;
  };

  weir.model.nextGeneration(failsAfter(broken));
  await expect(take()).rejects.toMatchObject({ code: "engine_failed", message: "The engine broke." });
  weir.model.nextGeneration(failsAfter(broken, { kind: "begun", inputTokens: [1] }, { kind: "text", choice: 0, text: "a", tokens: 1 }));
  await expect(take()).rejects.toMatchObject({ code: "engine_failed", message: "The engine broke." });
});

test("who stops reading a stream ends the work behind it", async () => {
  let signal: AbortSignal | undefined;
  const hangs = hangsAfter({ kind: "begun", inputTokens: [1] }, { kind: "text", choice: 0, text: "a", tokens: 1 });
  weir.model.nextGeneration((call, limits) => {
    signal = limits.signal;
    return hangs(call, limits);
  });

  for await (const { text_output } of client.generateStream({ model: "smol", text: "x" })) {
    expect(text_output).toBe("a");
    break;
  }

  await expect.poll(() => signal?.aborted).toBe(true);
});

test("a gateway that cannot meter is not ready", async () => {
  weir.store.turn("closed");
  weir.clock.advance(1_000);

  const isReady = await client.isReady();

  weir.store.turn("open");
  weir.clock.advance(1_000);
  expect([isReady, await client.isReady()]).toEqual([false, true]);
});

test("a call that is given up says so", async () => {
  const asked = client.infer({ model: "minilm", inputs: [texts("text", ["x"])], signal: AbortSignal.abort() });

  await expect(asked).rejects.toMatchObject({ code: "cancelled" });
});
