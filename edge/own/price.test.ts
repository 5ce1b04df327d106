import { afterAll, beforeAll, expect, test } from "vitest";
import { PriceBook } from "../../shared/billing/prices/price-book.ts";
import { TOKENS_MAX } from "../../test/harness/model-double.ts";
import { type Serving, startServing } from "../../test/harness/serving.ts";

const CHANGE = { by: "test", why: "", atMs: 0 };

let weir: Serving;
beforeAll(async () => {
  weir = await startServing();
  const { prices, tenants } = weir.deps.control;
  const entries = [
    {
      perRequest: { price: "0.5" },
      per1000InputTokens: { price: "1" },
      per1000OutputTokens: { price: "2" },
      perComputeMs: { cpu: { price: "0.1" } },
    },
    { model: "sentiment", perRequest: { graduated: [{ upTo: 5, price: "0.25" }, { price: "0.125" }], free: 9 } },
  ];
  const body = PriceBook.parse({ name: "standard", currency: "EUR", effectiveFrom: "2026-01-01T00:00:00Z", commitment: "5", entries });
  await prices.append("standard", 0, { body, change: CHANGE });
  const acme = await tenants.current("acme");
  if (acme === undefined) throw new Error("no tenant");
  const billing = { priceBook: "standard", discountBps: 1000, taxRateBps: 0 };
  await tenants.append("acme", acme.revision, { body: { ...acme.body, billing }, change: CHANGE });
});
afterAll(() => weir.close());

const ask = async (question: object, headers = {}) => {
  const answer = await weir.post("/v1/price", question, headers);
  return { status: answer.status, json: (await answer.json()) as unknown };
};
const MONTHLY = ["the month's commitment is not in it", "the discount of 10 % is taken off the month's sum and is not in it"];

test("a request is quoted exactly where all of it is said", async () => {
  const { status, json } = await ask({ model: "minilm", inputTokens: 10, maxOutputTokens: 5, computeMs: 3 });

  expect(status).toBe(200);
  expect(json).toEqual({
    ...{ model: "minilm@1", tier: "cpu", amount: "0.82", currency: "EUR", priceBook: "standard", priceVersion: 1 },
    ...{ inputTokens: 10, maxOutputTokens: 5, assumes: MONTHLY },
  });
});

test("what is not said is taken at its most, and the answer tells what it takes for granted", async () => {
  expect((await ask({ model: "minilm@2", inputs: 2 })).json).toMatchObject({
    ...{ model: "minilm@2", inputTokens: 2 * TOKENS_MAX },
    assumes: ["compute time is not in it: 0.1 a millisecond on cpu", ...MONTHLY],
  });
  expect((await ask({ model: "sentiment", tier: "gpu" })).json).toMatchObject({
    ...{ tier: "gpu", amount: "0.25" },
    assumes: ["perRequest: the dearest step's price", "perRequest: the month's allowance is used up", ...MONTHLY],
  });
});

test("who has no price book is told that nothing has a price", async () => {
  const key = await weir.makeKey("free", "usage");

  const { json } = await ask({ model: "minilm" }, { authorization: `Bearer ${key}` });

  expect(json).toMatchObject({ amount: "0", currency: null, priceVersion: 0, assumes: ["nothing of this tenant has a price"] });
});

test("who will be billed by a book whose prices are still to come is told so", async () => {
  const { prices, tenants } = weir.deps.control;
  const entries = [{ perRequest: { price: "1" } }];
  const body = PriceBook.parse({ name: "coming", currency: "EUR", effectiveFrom: "2099-01-01T00:00:00Z", entries });
  await prices.append("coming", 0, { body, change: CHANGE });
  const key = await weir.makeKey("early", "usage");
  const early = await tenants.current("early");
  if (early === undefined) throw new Error("no tenant");
  const billing = { priceBook: "coming", discountBps: 0, taxRateBps: 0 };
  await tenants.append("early", early.revision, { body: { ...early.body, billing }, change: CHANGE });

  const { json } = await ask({ model: "minilm" }, { authorization: `Bearer ${key}` });

  expect(json).toMatchObject({ amount: "0", priceBook: null, assumes: ["no prices of the book 'coming' are in force yet"] });
});

test.each<[body: object, status: number]>([
  [{ model: "hidden" }, 404],
  [{ model: "nothing" }, 404],
  [{ model: "minilm", inputTokens: -1 }, 400],
  [{ model: "minilm", maxOutputTokens: 1e12 }, 400],
  [{ model: "minilm", tokens: 1 }, 400],
  [{}, 400],
])("%j is refused with %d, and nothing is metered", async (body, status) => {
  expect((await ask(body)).status).toBe(status);
  expect(await weir.ledgerItems()).toEqual([]);
});

test("a foreign engine's tokens must be said", async () => {
  await weir.addVersion("engine", { upstream: { url: "http://127.0.0.1:9/v1", model: "m" } });

  expect((await ask({ model: "engine" })).json).toMatchObject({ error: { message: expect.stringContaining("inputTokens") } });
  expect((await ask({ model: "engine", inputTokens: 1000 })).json).toMatchObject({ tier: "upstream", amount: "1.5" });
});
