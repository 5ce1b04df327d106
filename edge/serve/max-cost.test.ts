import { afterAll, beforeAll, expect, test } from "vitest";
import { PriceBook } from "../../shared/billing/prices/price-book.ts";
import { type Serving, startServing } from "../../test/harness/serving.ts";

const CHANGE = { by: "test", why: "", atMs: 0 };

let weir: Serving;
beforeAll(async () => {
  weir = await startServing();
  const { prices, tenants } = weir.deps.control;
  const entries = [
    { perRequest: { graduated: [{ upTo: 5, price: "0.5" }, { price: "0.25" }], free: 1000 }, per1000OutputTokens: { price: "1" } },
    { model: "sentiment", per1000InputTokens: { price: "1" } },
  ];
  for (const [place, hour] of ["2026-01-01T00", "2026-02-01T00"].entries()) {
    const body = PriceBook.parse({ name: "standard", currency: "EUR", effectiveFrom: `${hour}:00:00Z`, entries });
    await prices.append("standard", place, { body, change: CHANGE });
  }
  const acme = await tenants.current("acme");
  if (acme === undefined) throw new Error("no tenant");
  const billing = { priceBook: "standard", discountBps: 0, taxRateBps: 0 };
  await tenants.append("acme", acme.revision, { body: { ...acme.body, billing }, change: CHANGE });
});
afterAll(() => weir.close());

const TENSORS = { inputs: [{ name: "text", datatype: "BYTES", shape: [1], data: ["x"] }] };
const MESSAGES = { messages: [{ role: "user", content: "x" }] };
const ROUTES: readonly [path: string, body: object][] = [
  ["/v1/embeddings", { model: "minilm", input: "x" }],
  ["/v1/completions", { model: "smol", prompt: "x", max_tokens: 4 }],
  ["/v1/chat/completions", { model: "smol", ...MESSAGES, max_tokens: 4 }],
  ["/v1/chat/completions", { model: "smol", ...MESSAGES, max_tokens: 4, stream: true }],
  ["/hf/minilm", { inputs: "x" }],
  ["/hf/smol", { inputs: "x", parameters: { max_new_tokens: 4 } }],
  ["/v2/models/minilm/infer", TENSORS],
  ["/v2/models/smol/generate", { text_input: "x", parameters: { max_tokens: 4 } }],
  ["/v2/models/smol/generate_stream", { text_input: "x", parameters: { max_tokens: 4 } }],
];

test.each(ROUTES)("%s refuses what could cost more than its caller allows, before any work: %j", async (path, body) => {
  const refused = await weir.post(path, body, { "weir-max-cost": "0.499" });

  expect(refused.status).toBe(400);
  expect(await refused.text()).toMatch(/may cost up to 0\.5\d* EUR, more than 0\.499/);
  expect([...weir.model.asked, ...weir.model.generations]).toEqual([]);
  expect(await weir.ledgerItems()).toEqual([]);
});

test.each(ROUTES)("%s serves what is allowed, and its row says by which prices: %j", async (path, body) => {
  const served = await weir.post(path, body, { "weir-max-cost": "0.504" });
  await served.text();

  expect(served.status).toBe(200);
  expect((await weir.newRows()).map((row) => row["pv"])).toEqual(["2"]);
});

test("the bound is what the model reads at most, since nobody has counted the tokens yet", async () => {
  const refused = await weir.post("/hf/sentiment", { inputs: ["x", "y"] }, { "weir-max-cost": "0.001" });

  expect(refused.status).toBe(400);
  expect((await weir.post("/hf/sentiment", { inputs: ["x", "y"] }, { "weir-max-cost": "5" })).status).toBe(200);
});

test.each(["-1", "abc", "", "1e-3", "0.0000000000001"])("a Weir-Max-Cost of '%s' is refused", async (maxCost) => {
  const refused = await weir.post("/v1/embeddings", { model: "minilm", input: "x" }, { "weir-max-cost": maxCost });

  expect(refused.status).toBe(400);
  expect(await refused.text()).toContain("Weir-Max-Cost");
});

test("a foreign engine's tokens have no bound, so a price on them is refused under any allowance", async () => {
  await weir.addVersion("engine", { upstream: { url: "http://127.0.0.1:9/v1", model: "m" } });

  const refused = await weir.post("/v1/chat/completions", { model: "engine", ...MESSAGES }, { "weir-max-cost": "1000000" });

  expect(refused.status).toBe(400);
  expect(await refused.text()).toContain("cannot be told ahead");
});

test("without prices a request costs nothing, whatever it is allowed", async () => {
  const key = await weir.makeKey("free", "infer");

  const served = await weir.post(
    "/v1/embeddings",
    { model: "minilm", input: "x" },
    { "weir-max-cost": "0", authorization: `Bearer ${key}` },
  );

  expect(served.status).toBe(200);
  expect((await weir.newRows()).filter((row) => row["sk"]?.startsWith("free#")).map((row) => row["pv"])).toEqual(["0"]);
});
