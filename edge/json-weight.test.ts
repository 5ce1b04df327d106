import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type Serving, startServing } from "../test/harness/serving.ts";
import { BODY_BYTES_MAX, JSON_PARTS_MAX, LOSSLESS_VALUES_MAX } from "./limits.ts";

let weir: Serving;
beforeAll(async () => {
  weir = await startServing();
});
afterAll(() => weir.close());
beforeEach(async () => {
  await weir.newRows();
});

async function post(path: string, body: string) {
  const headers = { authorization: `Bearer ${weir.key}`, "content-type": "application/json" };
  const answer = await fetch(weir.url + path, { method: "POST", headers, body });
  return { status: answer.status, text: await answer.text() };
}

/** As many as a body holds of what a parser makes much of. */
const filled = (piece: string) => `[${piece.repeat(Math.floor(BODY_BYTES_MAX / piece.length) - 1)}0]`;
const deep = "[".repeat(BODY_BYTES_MAX / 2 - 100) + "]".repeat(BODY_BYTES_MAX / 2 - 100);

test.each([
  ["empty arrays", filled("[],")],
  ["objects", filled('{"a":0},')],
  ["texts", filled('"ab",')],
  ["nested arrays", deep],
])("ten megabytes of %s are refused before they are parsed, in each dialect, and nothing is metered", async (_, value) => {
  const [openai, hf, oip] = await Promise.all([
    post("/v1/embeddings", `{"model":"minilm","input":${value.slice(0, -60)}`),
    post("/hf/minilm", value),
    post("/v2/models/minilm/infer", value),
  ]);

  for (const { status, text } of [openai, hf, oip]) {
    expect(status).toBe(413);
    expect(text).toContain(`more than ${JSON_PARTS_MAX} arrays, objects and texts`);
  }
  expect(await weir.newRows()).toEqual([]);
});

const tensor = (data: string) => `{"inputs":[{"name":"input_ids","datatype":"INT64","shape":[1,2],"data":[${data}]}]}`;

test("long integers among very many values are refused, not read one by one", async () => {
  const { status, text } = await post("/v2/models/minilm/infer", tensor(`${"1,".repeat(2 * LOSSLESS_VALUES_MAX)}1234567890123456789`));

  expect(status).toBe(413);
  expect(text).toContain("in binary");
});

test("what a request may well hold is read: two thousand texts, a long text full of brackets, a million numbers", async () => {
  const texts = JSON.stringify({ model: "minilm", input: Array.from({ length: 2_000 }, (_, place) => `text ${place} ${"x".repeat(100)}`) });
  const code = JSON.stringify({ model: "minilm", input: '[{"a":1},'.repeat(50_000) });

  expect((await post("/v1/embeddings", texts)).status).toBe(200);
  expect((await post("/v1/embeddings", code)).status).not.toBe(413);
  expect((await post("/v2/models/minilm/infer", tensor("0.125,".repeat(1_000_000) + 1))).status).toBe(400);
});
