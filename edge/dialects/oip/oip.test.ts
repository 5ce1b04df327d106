import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { DIMENSIONS, LABELS } from "../../../test/harness/model-double.ts";
import { type Serving, startServing } from "../../../test/harness/serving.ts";

let weir: Serving;
beforeAll(async () => {
  weir = await startServing();
});
afterAll(() => weir.close());
beforeEach(async () => {
  weir.model.asked.length = 0;
  weir.store.turn("open");
  await weir.newRows();
});

const text = (...data: unknown[]) => ({ name: "text", shape: [data.length], datatype: "BYTES", data });
const infer = (model: string, body: unknown, headers?: Record<string, string>) => weir.post(`/v2/models/${model}/infer`, body, headers);

async function jsonOf(answer: Promise<Response>): Promise<unknown> {
  return (await answer).json();
}

test("health needs no key, and says both words that clients look for", async () => {
  const keyless = (path: string) => fetch(weir.url + path);

  expect(await jsonOf(keyless("/v2/health/live"))).toEqual({ live: true });
  expect(await jsonOf(keyless("/v2/health/ready"))).toEqual({ ready: true, live: true });
  weir.store.turn("closed");
  weir.clock.advance(1_000);
  const unready = await keyless("/v2/health/ready");
  expect(unready.status).toBe(503);
  expect(await unready.json()).toEqual({ error: expect.any(String), ready: false, live: true });
  expect((await keyless("/v2")).status).toBe(401);
  weir.clock.advance(1_000);
});

test("the server says what it is, with or without a slash at the end", async () => {
  expect(await jsonOf(weir.get("/v2"))).toEqual({
    name: "weir",
    version: expect.stringMatching(/^\d+\.\d+/),
    extensions: expect.arrayContaining([
      "model_repository",
      "binary_tensor_data",
      "classification",
      "statistics",
      "parameters",
      "generate",
    ]),
  });
  expect(await jsonOf(weir.get("/v2/"))).toEqual(await jsonOf(weir.get("/v2")));
});

test("models are listed by name, page by page, as the tenant may see them", async () => {
  expect(await jsonOf(weir.get("/v2/models"))).toEqual({ models: ["minilm", "sentiment", "smol"] });
  const page = { models: expect.any(Array), nextCursor: expect.any(String) };
  expect(await jsonOf(weir.get("/v2/models?limit=1"))).toEqual(page);
});

test("a model's metadata name its tensors, and its labels in the order of its scores", async () => {
  const bytes = { datatype: "BYTES", shape: [-1] };

  expect(await jsonOf(weir.get("/v2/models/minilm"))).toEqual({
    name: "minilm",
    versions: ["1", "2"],
    platform: "onnx_onnxv1",
    inputs: [{ name: "text", ...bytes }],
    outputs: [{ name: "embedding", datatype: "FP32", shape: [-1, DIMENSIONS] }],
    properties: { tasks: expect.stringMatching(/^\{"embed":\{"inputs":\["text"\],"outputs":\["embedding"\]\},"zero-shot":/) },
  });
  expect(await jsonOf(weir.get("/v2/models/sentiment/versions/1"))).toMatchObject({
    inputs: [
      { name: "text", ...bytes },
      { name: "text_pair", ...bytes },
      { name: "input_ids", datatype: "INT64", shape: [-1, -1] },
      { name: "attention_mask", datatype: "INT64", shape: [-1, -1] },
    ],
    outputs: [
      { name: "scores", datatype: "FP32", shape: [-1, LABELS.length] },
      { name: "label", ...bytes },
      { name: "logits", datatype: "FP32", shape: [-1, LABELS.length] },
    ],
    properties: { labels: JSON.stringify(LABELS) },
  });
  expect(await jsonOf(weir.get("/v2/models/smol"))).toMatchObject({
    inputs: [{ name: "text_input", ...bytes }],
    outputs: [{ name: "text_output", ...bytes }],
  });
});

test("readiness of a model, and one answer for what is unknown or hidden", async () => {
  expect(await jsonOf(weir.get("/v2/models/minilm/ready"))).toEqual({ name: "minilm", ready: true });
  expect(await jsonOf(weir.get("/v2/models/minilm/versions/2/ready"))).toEqual({ name: "minilm", ready: true });
  for (const path of ["hidden", "nothing", "minilm/versions/9", "minilm/versions/first", "minilm@1/versions/1"]) {
    const answer = await weir.get(`/v2/models/${path}/ready`);
    expect(answer.status).toBe(404);
    expect(await answer.json()).toEqual({ error: expect.stringContaining("does not exist or you do not have access to it") });
  }
});

test("vectors come as one FP32 tensor, and the row says the dialect", async () => {
  const answer = await infer("minilm", { id: "mine", inputs: [text("a weir", "a river")] });

  expect(await answer.json()).toEqual({
    model_name: "minilm",
    model_version: "1",
    id: "mine",
    outputs: [{ name: "embedding", datatype: "FP32", shape: [2, DIMENSIONS], data: expect.any(Array) }],
  });
  expect(answer.headers.get("weir-model")).toBe("minilm@1");
  expect(await weir.newRows()).toMatchObject([{ di: "oip", mo: "minilm", v: "1", q: "2", ti: "8" }]);
});

test("scores and the likeliest label come together, or only what is asked for", async () => {
  const all = await jsonOf(infer("sentiment", { inputs: [text("x")] }));
  const some = await jsonOf(infer("sentiment", { inputs: [text("x")], outputs: [{ name: "label" }] }));

  expect(all).toMatchObject({
    id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    outputs: [
      { name: "scores", shape: [1, LABELS.length] },
      { name: "label", datatype: "BYTES", shape: [1] },
    ],
  });
  expect(some).toMatchObject({ outputs: [{ name: "label" }] });
  const [scores, label] = (all as { outputs: { data: number[] }[] }).outputs.map(({ data }) => data); // as matched above
  expect(LABELS[scores?.indexOf(Math.max(...scores)) ?? -1]).toBe(label?.[0]);
});

test("[n,1] may be flat or nested, and clients that send no Content-Type are understood", async () => {
  const shaped = { name: "text", shape: [2, 1], datatype: "BYTES" };

  const flat = await jsonOf(infer("minilm", { inputs: [{ ...shaped, data: ["x", "y"] }] }));
  const nested = await jsonOf(infer("minilm", { inputs: [{ ...shaped, data: [["x"], ["y"]] }] }));
  const typeless = await infer("minilm", { inputs: [text("x")] }, { "content-type": "" });

  expect(nested).toMatchObject({ outputs: (flat as { outputs: object[] }).outputs }); // an answer has outputs
  expect(typeless.status).toBe(200);
});

test("text pairs, parameters and versions reach the model", async () => {
  const pair = { ...text("y"), name: "text_pair" };
  await infer("sentiment", { inputs: [text("x"), pair], parameters: { function_to_apply: "none", priority: 1 } });
  await infer("minilm/versions/2", { inputs: [text("x")], parameters: { normalize: false, dimensions: 3, truncate: false } });
  await infer("minilm@2", { inputs: [text("far too many words ".repeat(9))], parameters: { binary_data_output: true } });

  expect(weir.model.asked).toMatchObject([
    { body: { task: "classify", function: "none", inputs: [{ text: "x", textPair: "y" }] } },
    { version: 2, body: { normalize: false, dimensions: 3, overlong: "refuse" } },
    { version: 2, body: { overlong: "cut" } },
  ]);
});

const x = text("x");
const asClasses = (name: string, classification: number) => ({ name, parameters: { classification } });
const refusals: [status: number, message: RegExp, model: string, body: unknown][] = [
  [400, /^inputs: /, "minilm", {}],
  [400, /^inputs: /, "minilm", { inputs: [] }],
  [400, /^inputs\.0\.name: must be one of text$/, "minilm", { inputs: [{ ...x, name: "input_ids" }] }],
  [
    400,
    /^inputs\.0\.name: must be one of text, text_pair; or, for the bare graph, input_ids/,
    "sentiment",
    { inputs: [{ ...x, name: "ids" }] },
  ],
  [400, /^inputs\.1\.name: 'text' is given twice/, "minilm", { inputs: [x, x] }],
  [400, /^inputs\.0\.datatype: must be BYTES, not FP16/, "minilm", { inputs: [{ ...x, datatype: "FP16", data: [1] }] }],
  [400, /^inputs\.0\.datatype: /, "minilm", { inputs: [{ ...x, datatype: "STRING" }] }],
  [400, /^inputs\.0\.data: has 1 elements where the shape says 3/, "minilm", { inputs: [{ ...x, shape: [3] }] }],
  [400, /^inputs\.0\.shape: must be \[n\] or \[n,1\]/, "minilm", { inputs: [{ ...x, shape: [1, 2] }] }],
  [400, /^inputs\.0\.shape\.0: /, "minilm", { inputs: [{ ...x, shape: [-1] }] }],
  [400, /^inputs\.0\.shape: must hold 1 to 2048 texts/, "minilm", { inputs: [{ ...x, shape: [0], data: [] }] }],
  [400, /^inputs\.0\.shape: must hold/, "minilm", { inputs: [{ ...x, shape: [10_000], data: Array(10_000).fill("x") }] }],
  [400, /^inputs\.0\.data\.0: must be a text/, "minilm", { inputs: [text(7)] }],
  [400, /^inputs\.0\.data\.0: must be a text/, "minilm", { inputs: [text(["x", "y"])] }],
  [400, /may not be an empty text/, "minilm", { inputs: [text("")] }],
  [400, /^inputs\.0\.data: is missing/, "minilm", { inputs: [{ name: "text", shape: [1], datatype: "BYTES" }] }],
  [400, /^inputs: the input 'text' is missing/, "sentiment", { inputs: [{ ...x, name: "text_pair" }] }],
  [400, /equally many texts/, "sentiment", { inputs: [x, { ...text("x", "y"), name: "text_pair" }] }],
  [400, /^inputs\.1\.name: must be one of text$/, "minilm", { inputs: [x, { ...x, name: "text_pair" }] }],
  [400, /^outputs\.0\.name: must be one of embedding/, "minilm", { inputs: [x], outputs: [{ name: "scores" }] }],
  [400, /classification: ranks scores and logits, and 'label' is BYTES/, "sentiment", { inputs: [x], outputs: [asClasses("label", 2)] }],
  [400, /^outputs\.0\.parameters\.classification: /, "sentiment", { inputs: [x], outputs: [asClasses("scores", 0)] }],
  [400, /^outputs\.1\.name: 'label' is asked for twice/, "sentiment", { inputs: [x], outputs: [{ name: "label" }, { name: "label" }] }],
  [400, /^parameters\.normalise: is not a parameter/, "minilm", { inputs: [x], parameters: { normalise: false } }],
  [400, /^dimensions: this model's vectors have 8 elements/, "minilm", { inputs: [x], parameters: { dimensions: 1e9 } }],
  [400, /^parameters\.dimensions: has no meaning for the task 'classify'/, "sentiment", { inputs: [x], parameters: { dimensions: 2 } }],
  [404, /does not exist/, "minilm/versions/9", { inputs: [x] }],
  [400, /^inputs\.0\.data: may not stand beside binary_data_size/, "minilm", { inputs: [{ ...x, parameters: { binary_data_size: 5 } }] }],
  [
    400,
    /binary_data_size: is 5, but 0 bytes are left/,
    "minilm",
    { inputs: [{ ...x, data: undefined, parameters: { binary_data_size: 5 } }] },
  ],
  [400, /'generate' is not|this model generates text/, "smol", { inputs: [x] }],
  [400, /^inputs\.0\.shape\.0: /, "minilm", { inputs: [{ ...x, shape: [2 ** 40] }] }],
  [400, /^inputs\.0\.shape: must hold 1 to 2048 texts/, "minilm", { inputs: [{ ...x, shape: [2 ** 30, 1] }] }],
  [400, /^inputs\.0\.data\.0: holds half of a surrogate pair/, "minilm", { inputs: [text("\ud800")] }],
  [400, /Shared memory is not supported/, "minilm", { inputs: [{ ...x, parameters: { shared_memory_region: "r" } }] }],
];

test.each(refusals)("what is refused with %i %s by %s asks no model and meters nothing", async (status, message, model, body) => {
  const answer = await infer(model, body);

  expect(answer.status).toBe(status);
  expect(await answer.json()).toEqual({ error: expect.stringMatching(message) });
  expect(weir.model.asked).toEqual([]);
  expect(await weir.newRows()).toEqual([]);
});

test("a model that does not fit the protocol is said to be elsewhere", async () => {
  await weir.addVersion("engine", { upstream: { url: "http://127.0.0.1:9/v1", model: "llama" } });

  expect((await infer("engine", { inputs: [x] })).status).toBe(501);
  expect(await jsonOf(weir.get("/v2/models"))).toMatchObject({ models: expect.not.arrayContaining(["engine"]) });
});
