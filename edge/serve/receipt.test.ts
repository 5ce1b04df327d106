import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { checkReceipt, type Receipt, ReceiptKeySet } from "../../shared/billing/receipts/receipt.ts";
import { type Serving, startServing } from "../../test/harness/serving.ts";

let weir: Serving;
let keySet: ReceiptKeySet;
beforeAll(async () => {
  weir = await startServing();
  keySet = ReceiptKeySet.parse(await (await fetch(`${weir.url}/.well-known/weir-receipts`)).json()); // no key
});
afterAll(() => weir.close());
beforeEach(() => weir.newRows());

const ask = (path: string, body: object, headers: Record<string, string> = {}) =>
  weir.post(path, body, { "weir-receipt": "1", ...headers });

function receiptIn(text: string | null | undefined): Receipt {
  const checked = checkReceipt(text ?? "", keySet);
  if (!checked.isValid) throw new Error(checked.reason);
  return checked.receipt;
}

/** A receipt says what its row says. */
async function expectRow(receipt: Receipt) {
  const { requestId, tenant, model, task, outcome, inputs, inputTokens, outputTokens, computeMs } = receipt;
  const [name = "", version = ""] = model.split("@");
  const counts = { q: inputs, ti: inputTokens, to: outputTokens, ms: computeMs };
  const texts = Object.fromEntries(Object.entries(counts).map(([key, value]) => [key, String(value)]));
  expect(await weir.newRows()).toMatchObject([{ sk: `${tenant}#${requestId}`, mo: name, sv: version, ta: task, oc: outcome, ...texts }]);
}

const PROMPT = { model: "smol", prompt: "a weir stands" };

test.each<[dialect: string, path: string, body: object]>([
  ["openai", "/v1/embeddings", { model: "minilm", input: "x" }],
  ["openai, generated", "/v1/completions", PROMPT],
  ["hf", "/hf/sentiment", { inputs: "x" }],
  ["oip", "/v2/models/minilm/infer", { inputs: [{ name: "text", shape: [1], datatype: "BYTES", data: ["x"] }] }],
])("%s: who asks for a receipt gets one of the row that is billed", async (_, path, body) => {
  const answer = await ask(path, body);

  expect(answer.status).toBe(200);
  await expectRow(receiptIn(answer.headers.get("weir-receipt")));
});

test.each<[dialect: string, path: string, body: object]>([
  ["openai", "/v1/completions", { ...PROMPT, stream: true }],
  ["hf", "/hf/smol", { inputs: "x", stream: true }],
  ["oip", "/v2/models/smol/generate_stream", { text_input: "x" }],
])("%s: a stream brings it as a comment before its end", async (_, path, body) => {
  const text = await (await ask(path, body)).text();

  const events = text.trim().split("\n\n");
  const at = events.findIndex((event) => event.startsWith(": weir-receipt "));
  expect(at).toBeGreaterThan(0);
  expect(at).toBeLessThan(events.length - 1);
  await expectRow(receiptIn(events[at]?.slice(": weir-receipt ".length)));
});

test("a replay brings the same receipt, in headers and on streams", async () => {
  const headers = { "idempotency-key": weir.deps.ids.base62(20) };
  const first = await ask("/v1/embeddings", { model: "minilm", input: "x" }, headers);
  const again = await ask("/v1/embeddings", { model: "minilm", input: "x" }, headers);
  const streamed = { "idempotency-key": weir.deps.ids.base62(20) };

  expect(again.headers.get("idempotent-replayed")).toBe("true");
  expect(again.headers.get("weir-receipt")).toBe(first.headers.get("weir-receipt"));
  const text = await (await ask("/v1/completions", { ...PROMPT, stream: true }, streamed)).text();
  expect(text).toContain(": weir-receipt ");
  expect(await (await ask("/v1/completions", { ...PROMPT, stream: true }, streamed)).text()).toBe(text);
});

test("nobody gets one unasked, unless the key says so, and then anybody may do without", async () => {
  const embed = (headers: Record<string, string>) => weir.post("/v1/embeddings", { model: "minilm", input: "x" }, headers);
  const key = await weir.makeKey("acme", "infer");
  const id = key.split("_")[3] ?? "";
  const before = await weir.deps.control.keys.current(id);
  if (before === undefined) throw new Error("the key is there");
  const change = { by: "test", why: "", atMs: 0 };
  await weir.deps.control.keys.append(id, before.revision, { body: { ...before.body, receipts: true }, change });
  const authorization = `Bearer ${key}`;

  const answers = [await embed({}), await embed({ authorization }), await embed({ authorization, "weir-receipt": "0" })];

  expect(answers.map(({ headers }) => headers.has("weir-receipt"))).toEqual([false, true, false]);
});

test("what the header may not say is refused, and so is a receipt where nothing signs; both before any work", async () => {
  const bare = await startServing({ WEIR_RECEIPT_KEYS: "{}" });
  const embed = (serving: Serving, receipt: string) =>
    serving.post("/v1/embeddings", { model: "minilm", input: "x" }, { "weir-receipt": receipt });

  const answers = [await embed(weir, "please"), await embed(bare, "1"), await embed(bare, "0")];

  expect(answers.map(({ status }) => status)).toEqual([400, 501, 200]);
  expect(await weir.newRows()).toEqual([]);
  expect(await bare.newRows()).toHaveLength(1);
  await bare.close();
});
