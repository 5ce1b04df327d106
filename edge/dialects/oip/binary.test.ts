import { deflateSync, gunzipSync, gzipSync, inflateSync } from "node:zlib";
import { Hono } from "hono";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { HEADER_LENGTH, joinFrame, splitFrame } from "../../../shared/oip/frame.ts";
import { joinTexts } from "../../../shared/oip/payload.ts";
import { DIMENSIONS } from "../../../test/harness/model-double.ts";
import { type Serving, startServing } from "../../../test/harness/serving.ts";
import type { EdgeEnv } from "../../env.ts";
import { BODY_BYTES_MAX } from "../../limits.ts";
import { acceptedCoding, COMPRESSED_BYTES_MIN, readPlainBody } from "./compression.ts";

let weir: Serving;
beforeAll(async () => {
  weir = await startServing();
});
afterAll(() => weir.close());
beforeEach(async () => {
  weir.model.asked.length = 0;
  await weir.newRows();
});

type Header = { outputs: { name: string; data?: unknown[]; parameters?: { binary_data_size: number } }[] };

const post = (model: string, body: unknown, headers: Record<string, string> = {}) => weir.post(`/v2/models/${model}/infer`, body, headers);

/** A request in binary, as tritonclient writes it. */
function framed(texts: string[], more: object = {}, size?: number) {
  const bytes = joinTexts(texts);
  const text = { name: "text", shape: [texts.length], datatype: "BYTES", parameters: { binary_data_size: size ?? bytes.byteLength } };
  return joinFrame({ inputs: [text], ...more }, [bytes]);
}

async function headerOf(answer: Response) {
  const { json, tensors } = splitFrame(new Uint8Array(await answer.arrayBuffer()), Number(answer.headers.get(HEADER_LENGTH) ?? Number.NaN));
  return { header: json as Header, tensors }; // as the protocol says
}

test("texts go in and vectors come out in binary, as the same numbers that JSON has", async () => {
  const { body, headerBytes } = framed(["a weir", "ein Wehr 🌊"], { parameters: { binary_data_output: true } });
  const json = await post("minilm", { inputs: [{ name: "text", shape: [2], datatype: "BYTES", data: ["a weir", "ein Wehr 🌊"] }] });

  const answer = await post("minilm", body, { [HEADER_LENGTH]: String(headerBytes), "content-type": "" });

  expect(answer.headers.get("content-type")).toBe("application/octet-stream");
  const { header, tensors } = await headerOf(answer);
  const size = 2 * DIMENSIONS * 4;
  expect(header.outputs).toEqual([{ name: "embedding", datatype: "FP32", shape: [2, DIMENSIONS], parameters: { binary_data_size: size } }]);
  const { outputs } = (await json.json()) as Header; // as the protocol says
  expect([...new Float32Array(Uint8Array.from(tensors).buffer)]).toEqual(outputs[0]?.data);
});

test("an output's own word overrides the request's, and only what is in binary follows the JSON", async () => {
  const outputs = [{ name: "label", parameters: { binary_data: true } }, { name: "scores" }];
  const { body, headerBytes } = framed(["x"], { outputs });

  const { header, tensors } = await headerOf(await post("sentiment", body, { [HEADER_LENGTH]: String(headerBytes) }));

  expect(header.outputs.map(({ name }) => name)).toEqual(["label", "scores"]);
  expect(header.outputs[1]?.data).toHaveLength(3);
  expect(tensors.byteLength).toBe(header.outputs[0]?.parameters?.binary_data_size);
});

test("a header length of 0 makes the whole body the one text, and all outputs binary", async () => {
  const answer = await post("sentiment", "a weir\n", { [HEADER_LENGTH]: "0" });

  const { header } = await headerOf(answer);
  expect(header.outputs.map(({ parameters }) => parameters?.binary_data_size)).toEqual([12, expect.any(Number)]);
  expect(weir.model.asked[0]?.body).toMatchObject({ inputs: [{ text: "a weir\n" }] });
});

const { body: whole, headerBytes: whereTextsBegin } = framed(["x"]);
const lies: [message: RegExp, body: Uint8Array | string, length: string][] = [
  [/Length: is 9999, more than the body's/, whole, "9999"],
  [/not valid JSON/, whole, String(whereTextsBegin - 1)],
  [/not valid JSON/, whole, String(whereTextsBegin + 1)],
  [/^Inference-Header-Content-Length: must be a number of bytes/, whole, "-1"],
  [/^Inference-Header-Content-Length: must be a number of bytes/, whole, "ten"],
  [/^The body has 3 bytes that belong to no tensor/, Buffer.concat([whole, Buffer.from("abc")]), String(whereTextsBegin)],
  [/binary_data_size: is 5, but 3 bytes are left/, whole.subarray(0, -2), String(whereTextsBegin)],
  [
    /^inputs\.0\.data\.0: is said to be longer/,
    framed(["x"], {}, 5).body.fill(9, whereTextsBegin, whereTextsBegin + 1),
    String(whereTextsBegin),
  ],
  [/^inputs\.0\.data\.0: must be text in UTF-8/, framed(["x"]).body.fill(0xff, whereTextsBegin + 4), String(whereTextsBegin)],
  [/^The body: must be text in UTF-8/, Buffer.from("ff", "hex"), "0"],
  [/an input may not be an empty text/, "", "0"],
];

test.each(lies)("a body that lies is refused with %s, asks no model and meters nothing", async (message, body, length) => {
  const answer = await post("minilm", body, { [HEADER_LENGTH]: length });

  expect([answer.status, await answer.json()]).toEqual([400, { error: expect.stringMatching(message) }]);
  expect(weir.model.asked).toEqual([]);
  expect(await weir.newRows()).toEqual([]);
});

test("a raw body does not fit a model that wants two inputs", async () => {
  await weir.addVersion("answer", { facts: { head: "answer", family: "bert", tokensMax: 16, dtypes: ["fp32"] } });

  const answer = await post("answer", "x", { [HEADER_LENGTH]: "0" });

  expect(await answer.json()).toEqual({ error: expect.stringContaining("a raw body fits models with one input only") });
});

const COMPRESSED = [
  ["gzip", gzipSync, gunzipSync],
  ["deflate", deflateSync, inflateSync],
] as const;

test.each(COMPRESSED)("bodies compressed by %s are read, in binary as in JSON", async (coding, compress) => {
  const { body, headerBytes } = framed(["a weir"]);

  const binary = await post("minilm", compress(body), { [HEADER_LENGTH]: String(headerBytes), "content-encoding": coding });
  const json = await post("minilm", compress('{"inputs":[{"name":"text","shape":[1],"datatype":"BYTES","data":["a weir"]}]}'), {
    "content-encoding": coding.toUpperCase(),
  });

  expect([binary.status, json.status]).toEqual([200, 200]);
  expect(weir.model.asked[0]?.body).toEqual(weir.model.asked[1]?.body);
});

test.each(COMPRESSED)("answers are compressed by %s for those who ask for it, and small ones are not worth it", async (coding) => {
  const many = Array.from({ length: 64 }, (_, index) => `text ${index}`);
  const ask = (texts: string[], accept: string) =>
    post("minilm", { inputs: [{ name: "text", shape: [texts.length], datatype: "BYTES", data: texts }] }, { "accept-encoding": accept });

  const large = await ask(many, coding);
  const small = await ask(["x"], coding);
  const plain = await ask(many, "identity");

  expect(large.headers.get("content-encoding")).toBe(coding);
  expect(large.headers.get("vary")).toBe("Accept-Encoding");
  expect(small.headers.get("content-encoding")).toBeNull();
  expect(plain.headers.get("content-encoding")).toBeNull();
  const [largeBody, plainBody] = [await large.json(), await plain.json()]; // fetch inflates by itself
  expect((largeBody as Header).outputs).toEqual((plainBody as Header).outputs);
  expect(JSON.stringify(plainBody).length).toBeGreaterThan(COMPRESSED_BYTES_MIN);
});

test.each([
  ["gzip, deflate", "gzip"],
  ["deflate;q=0.5, br", "deflate"],
  ["gzip;q=0, deflate", "deflate"],
  ["GZIP", "gzip"],
  ["br", undefined],
  ["", undefined],
  ["gzip;q=0.000", undefined],
])("of %j is taken %s", (header, coding) => {
  expect(acceptedCoding(header)).toBe(coding);
});

test.each([
  ["a bomb", 413, gzipSync(Buffer.alloc(BODY_BYTES_MAX + 1)), "gzip"],
  ["a bomb in a bomb's size", 413, deflateSync(Buffer.alloc(8 * BODY_BYTES_MAX)), "deflate"],
  ["what is no gzip", 400, Buffer.from("{}"), "gzip"],
  ["a gzip that breaks off", 400, gzipSync("{}".repeat(99)).subarray(0, -9), "gzip"],
  ["something behind the gzip", 400, Buffer.concat([gzipSync("{}"), Buffer.from("{}")]), "gzip"],
  ["another coding", 415, Buffer.from("{}"), "br"],
])("%s is refused with %i before anything is asked", async (_, status, body, coding) => {
  const answer = await post("minilm", body, { "content-encoding": coding });

  expect([answer.status, await answer.json()]).toEqual([status, { error: expect.any(String) }]);
  expect(weir.model.asked).toEqual([]);
});

test("what a body swells to counts as held", async () => {
  const taken: number[] = [];
  const hold = { take: (bytes: number) => taken.push(bytes), keep: () => {}, release: () => {} };
  const app = new Hono<EdgeEnv>().post("/", async (c) => {
    c.set("hold", hold);
    return c.json((await readPlainBody(c)).byteLength);
  });
  const swollen = gzipSync(Buffer.alloc(100_000));

  const read = await app.request("/", { method: "POST", body: swollen, headers: { "content-encoding": "gzip" } });

  expect(await read.json()).toBe(100_000);
  expect(taken.reduce((sum, bytes) => sum + bytes, 0)).toBe(100_000 + swollen.byteLength);
});
