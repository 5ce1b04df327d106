import { createConnection } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type Serving, startServing } from "../test/harness/serving.ts";
import { BODY_BYTES_MAX } from "./limits.ts";

let weir: Serving;
beforeAll(async () => {
  weir = await startServing();
});
afterAll(() => weir.close());
beforeEach(async () => {
  weir.model.asked.length = 0;
  weir.logged.length = 0;
  await weir.newRows();
});

/** Where each dialect takes its requests, and one that it answers. */
const DOORS = [
  { path: "/v1/embeddings", good: { model: "minilm", input: "x" } },
  { path: "/hf/minilm", good: { inputs: "x" } },
  { path: "/v2/models/minilm/infer", good: { inputs: [{ name: "text", shape: [1], datatype: "BYTES", data: ["x"] }] } },
];

async function expectNothingDone() {
  expect(weir.model.asked).toEqual([]);
  expect(await weir.newRows()).toEqual([]);
  expect(weir.logged.filter(({ level }) => level === "error")).toEqual([]);
}

const deep = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;

const BODIES: [what: string, body: string | Uint8Array, message: RegExp][] = [
  ["no body", "", /not valid JSON/],
  ["malformed JSON", '{"inputs":', /not valid JSON/],
  ["NaN", '{"inputs":NaN,"input":NaN}', /not valid JSON/],
  ["a list for an object", "[]", /expected object/i],
  ["null", "null", /expected object/i],
  ["invalid UTF-8", Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), /not valid UTF-8/],
  ["deep nesting", `{"model":"minilm","input":${deep(40_000)},"inputs":${deep(40_000)}}`, /inputs?/],
];

test.each(BODIES)("%s is refused with 400 in every dialect", async (_, body, message) => {
  for (const { path } of DOORS) {
    const answer = await weir.post(path, body);

    expect(answer.status).toBe(400);
    expect(await answer.text()).toMatch(message);
  }
  await expectNothingDone();
});

const EMBEDDINGS: [field: string, body: object][] = [
  ["model", { input: "x" }],
  ["model", { model: "", input: "x" }],
  ["model", { model: 7, input: "x" }],
  ["input", { model: "minilm" }],
  ["input", { model: "minilm", input: "" }],
  ["input", { model: "minilm", input: [] }],
  ["input.0", { model: "minilm", input: [[]] }],
  ["input.1", { model: "minilm", input: ["x", ""] }],
  ["input", { model: "minilm", input: ["x", 7] }],
  ["input.0", { model: "minilm", input: [-1] }],
  ["input", { model: "minilm", input: Array.from({ length: 10_000 }, () => "x") }],
  ["input", { model: "minilm", input: "\ud800" }],
  ["dimensions", { model: "minilm", input: "x", dimensions: 0 }],
  ["dimensions", { model: "minilm", input: "x", dimensions: 1.5 }],
  ["dimensions", { model: "minilm", input: "x", dimensions: 1e9 }],
  ["dimensions", { model: "minilm", input: "x", dimensions: "8" }],
  ["encoding_format", { model: "minilm", input: "x", encoding_format: "hex" }],
];

test.each(EMBEDDINGS)("a wrong %s is named", async (field, body) => {
  const answer = await weir.post("/v1/embeddings", body);

  expect(answer.status).toBe(400);
  expect(await answer.json()).toMatchObject({ error: { type: "invalid_request_error", param: field } });
  await expectNothingDone();
});

test("a body that says that it is too large is refused before it is read", async () => {
  for (const { path } of DOORS) {
    const answer = await weir.post(path, new Uint8Array(BODY_BYTES_MAX + 1));

    expect(answer.status).toBe(413);
    expect(await answer.text()).toContain("The body is larger than 10 MiB.");
  }
  await expectNothingDone();
});

test("a hundred megabytes that do not say how many they are stop being read at the limit", async () => {
  let sentBytes = 0;
  const chunk = new Uint8Array(1024 ** 2);
  const endless = new ReadableStream({
    pull(controller) {
      sentBytes += chunk.byteLength;
      if (sentBytes > 100 * chunk.byteLength) controller.close();
      else controller.enqueue(chunk);
    },
  });

  const answer = await weir.post("/v1/embeddings", endless).catch(() => undefined);

  // A client that still writes may see the connection end before the answer.
  expect([413, undefined]).toContain(answer?.status);
  expect(sentBytes).toBeLessThan(40 * chunk.byteLength);
  await expectNothingDone();
});

test("a body of the largest size is read", async () => {
  const body = JSON.stringify({ model: "minilm", input: "x" }).padEnd(BODY_BYTES_MAX, " ");

  expect((await weir.post("/v1/embeddings", body)).status).toBe(200);
});

test("compressed bodies are refused in words", async () => {
  const answer = await weir.post("/v1/embeddings", "x", { "content-encoding": "gzip" });

  expect(answer.status).toBe(415);
  await expectNothingDone();
});

test("a body that says that it is not compressed is read, however it spells that", async () => {
  const answer = await weir.post("/v1/embeddings", { model: "minilm", input: "x" }, { "content-encoding": "Identity" });

  expect(answer.status).toBe(200);
});

test("a client that goes away in the middle of its body leaves nothing behind", async () => {
  const { port, hostname } = new URL(weir.url);
  const socket = createConnection({ port: Number(port), host: hostname });
  const head = `POST /v1/embeddings HTTP/1.1\r\nhost: weir\r\nauthorization: Bearer ${weir.key}\r\ncontent-length: 100\r\n\r\n{"model"`;
  await new Promise<void>((done) => socket.write(head, () => done()));
  await weir.post("/v1/models", {}); // by now the gateway waits for the rest

  socket.destroy();

  await expect.poll(() => weir.get("/v1/models").then(({ status }) => status)).toBe(200);
  await expectNothingDone();
});

test("what two dialects ask of the same model has the same numbers", async () => {
  const answers = await Promise.all(DOORS.map(async ({ path, good }) => (await weir.post(path, good)).json()));

  const [openai, hf, oip] = answers as [{ data: [{ embedding: number[] }] }, number[], { outputs: [{ data: number[] }] }]; // as the dialects answer
  expect(openai.data[0].embedding).toEqual(hf);
  expect(oip.outputs[0].data).toEqual(hf);
});
