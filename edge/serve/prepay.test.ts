import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Failure } from "../../shared/base/failure.ts";
import { systemIds } from "../../shared/base/id.ts";
import { applyCredit } from "../../shared/billing/balances/apply-credit.ts";
import { balancePico, leasedPico } from "../../shared/billing/balances/balance.ts";
import { createSpender } from "../../shared/billing/balances/spender.ts";
import { picoOf } from "../../shared/billing/money.ts";
import { PriceBook } from "../../shared/billing/prices/price-book.ts";
import { type Serving, startServing } from "../../test/harness/serving.ts";
import { createApp } from "../app.ts";

const CHANGE = { by: "test", why: "", atMs: 0 };
const PER_REQUEST = picoOf("0.5");

let weir: Serving;
beforeAll(async () => {
  weir = await startServing();
  const { prices, tenants } = weir.deps.control;
  const book = {
    name: "plain",
    currency: "EUR",
    effectiveFrom: "2026-01-01T00:00:00Z",
    entries: [{ perRequest: { price: "0.5" }, per1000OutputTokens: { price: "1" } }],
  };
  await prices.append("plain", 0, { body: PriceBook.parse(book), change: CHANGE });
  const acme = await tenants.current("acme");
  if (acme === undefined) throw new Error("no tenant");
  const billing = { priceBook: "plain", discountBps: 0, taxRateBps: 0, isPrepaid: true };
  await tenants.append("acme", acme.revision, { body: { ...acme.body, billing }, change: CHANGE });
});
afterAll(() => weir.close());

const MESSAGES = { messages: [{ role: "user", content: "x" }] };
const ROUTES: readonly [path: string, body: object][] = [
  ["/v1/embeddings", { model: "minilm", input: "x" }],
  ["/v1/completions", { model: "smol", prompt: "x", max_tokens: 4 }],
  ["/v1/chat/completions", { model: "smol", ...MESSAGES, max_tokens: 4, stream: true }],
  ["/hf/minilm", { inputs: "x" }],
  ["/v2/models/minilm/infer", { inputs: [{ name: "text", datatype: "BYTES", shape: [1], data: ["x"] }] }],
  ["/v2/models/smol/generate_stream", { text_input: "x", parameters: { max_tokens: 4 } }],
];

const balance = async () => (await weir.deps.balances.read("acme")).balance;

async function grant(id: string, amount: string) {
  const credit = { tenant: "acme", id, kind: "grant", amountPico: `${picoOf(amount)}`, expiresAt: null, priority: 0 } as const;
  const stamp = { by: "test", why: "", atMs: weir.clock.nowMs() };
  await applyCredit({ balances: weir.deps.balances, credits: weir.deps.control.credits }, { credit, stamp });
}

test.each(ROUTES)("without credits %s is refused with 402 before any work, in its dialect's form", async (path, body) => {
  const refused = await weir.post(path, body);

  expect(refused.status).toBe(402);
  expect(await refused.text()).toMatch(/This request may cost 0\.5\d*, and 0 of the prepaid balance is free\./);
  expect([...weir.model.asked, ...weir.model.generations]).toEqual([]);
  expect(await weir.ledgerItems()).toEqual([]);
  expect((await balance()).leases).toEqual([]);
});

test.each(ROUTES)(
  "with credits %s is served, its row names the lease that pays for it, and what it did not cost comes back",
  async (path, body) => {
    weir.clock.advance(2_000); // a refusal is known for a second
    await grant(`for${path.replaceAll("/", "-")}`, "10");
    const before = await balance();

    const served = await weir.post(path, body);
    await served.text();
    const [row] = await weir.newRows();
    await weir.deps.spender.drain();

    expect(served.status).toBe(200);
    const after = await balance();
    const costPico = PER_REQUEST + BigInt(row?.["to"] ?? "0") * picoOf("0.001");
    expect(after.leases.map(({ id }) => id)).toContain(row?.["ls"]);
    expect([row?.["pv"], row?.["st"]]).toEqual(["1", "S"]);
    expect(leasedPico(after) - leasedPico(before)).toBe(costPico);
    expect(balancePico(before) - balancePico(after)).toBe(costPico);
  },
);

test("a hundred requests are paid for by a few writes of the balance", async () => {
  await grant("many", "1000");
  const { version } = await weir.deps.balances.read("acme");

  for (let request = 0; request < 100; request += 1) await weir.post("/v1/embeddings", { model: "minilm", input: "x" });

  expect((await weir.deps.balances.read("acme")).version - version).toBeLessThan(15);
  expect((await weir.newRows()).every((row) => row["ls"] !== undefined)).toBe(true);
  await weir.deps.spender.drain();
});

test("two gateways at once serve no more than the balance covers, and what neither served is still there", async () => {
  await takeAll();
  await grant("shared", "10");
  const spenders = ["one", "other"].map((lessee) =>
    createSpender({ store: weir.deps.balances, clock: weir.clock, ids: systemIds, lessee }),
  );
  const gateways = spenders.map((spender) => createApp({ ...weir.deps, spender }));
  const headers = { authorization: `Bearer ${weir.key}`, "content-type": "application/json" };
  const body = JSON.stringify({ model: "minilm", input: "x" });

  const asked = Array.from({ length: 60 }, (_, index) => gateways[index % 2]?.request("/v1/embeddings", { method: "POST", headers, body }));
  const statuses = (await Promise.all(asked)).map((answer) => answer?.status);
  await Promise.all(spenders.map((spender) => spender.drain()));

  const served = statuses.filter((status) => status === 200).length;
  expect(statuses.filter((status) => status !== 200 && status !== 402)).toEqual([]);
  expect(served).toBeLessThanOrEqual(20);
  expect(served).toBeGreaterThan(10); // the last credits may lie in the other's lease
  expect((await weir.newRows()).filter((row) => row["st"] === "S")).toHaveLength(served);
  expect(balancePico(await balance())).toBe(picoOf("10") - BigInt(served) * PER_REQUEST);
});

/** Leaves nothing of what earlier tests have granted. */
async function takeAll() {
  await weir.deps.spender.drain();
  const left = balancePico(await balance());
  const credit = { tenant: "acme", id: `all-${left}`, kind: "adjustment", amountPico: `${-left}`, expiresAt: null, priority: 0 } as const;
  if (left > 0n) await applyCredit({ balances: weir.deps.balances, credits: weir.deps.control.credits }, { credit, stamp: CHANGE });
  await weir.newRows();
}

test("what fails costs nothing", async () => {
  weir.clock.advance(2_000);
  await grant("to-fail", "10");
  const before = balancePico(await balance());
  weir.model.next(() => Promise.reject(new Error("broken")));

  const failed = await weir.post("/v1/embeddings", { model: "minilm", input: "x" });
  await weir.deps.ledger.drain(); // the row is void by then
  await weir.deps.spender.drain();

  expect(failed.status).toBeGreaterThanOrEqual(500);
  expect(balancePico(await balance())).toBe(before);
});

test.each(["void", "settle"] as const)(
  "where nobody knows what became of a row (%s), it counts as the most it may cost until its hour is sealed",
  async (step) => {
    weir.clock.advance(2_000);
    await grant(`to-lose-${step}`, "10");
    const before = balancePico(await balance());
    const reserve = weir.deps.ledger.reserve.bind(weir.deps.ledger);
    const lost = { void: async () => false, settle: () => Promise.reject(new Failure("unavailable", "lost")) };
    vi.spyOn(weir.deps.ledger, "reserve").mockImplementationOnce(async (...asked) => ({ ...(await reserve(...asked)), ...lost }));
    if (step === "void") weir.model.next(() => Promise.reject(new Error("broken")));

    const failed = await weir.post("/v1/embeddings", { model: "minilm", input: "x" });
    await weir.deps.ledger.drain();
    await weir.deps.spender.drain();

    expect(failed.status).toBeGreaterThanOrEqual(500);
    expect(before - balancePico(await balance())).toBe(PER_REQUEST);
  },
);

test("a tenant that pays afterwards has no lease", async () => {
  const key = await weir.makeKey("globex", "infer");

  await weir.post("/v1/embeddings", { model: "minilm", input: "x" }, { authorization: `Bearer ${key}` });

  const rows = (await weir.newRows()).filter((row) => row["sk"]?.startsWith("globex"));
  expect(rows).toHaveLength(1);
  expect(rows[0]?.["ls"]).toBeUndefined();
  expect((await weir.deps.balances.read("globex")).version).toBe(0);
});

test.each([
  ["/v1/completions", { prompt: "x", max_tokens: 100, max_completion_tokens: 1 }, "0.6"],
  ["/v1/completions", { prompt: ["x", "y", "z"], max_tokens: 100 }, "0.8"],
  ["/v1/completions", { prompt: [[1, 2], [3]], max_tokens: 100 }, "0.7"],
  ["/v1/completions", { prompt: [1, 2, 3], max_tokens: 100 }, "0.6"],
  ["/v1/completions", { prompt: "x", max_tokens: 100, n: 2, best_of: 4 }, "0.9"],
  ["/v1/chat/completions", { ...MESSAGES, max_tokens: 1, n: 1_000 }, "1.5"],
])("of what a foreign engine may be asked for, all counts: %s %o", async (path, body, most) => {
  await weir.addVersion("llama", { upstream: { url: "http://127.0.0.1:9", model: "llama" } });

  const refused = await weir.post(path, { model: "llama", ...body }, { "weir-max-cost": "0.01" });

  expect(refused.status).toBe(400);
  expect(await refused.text()).toContain(`this request may cost up to ${most} EUR`);
});
