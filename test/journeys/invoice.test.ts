import { readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { InvoiceDocument } from "../../shared/billing/invoices/invoice-document.ts";
import type { PriceBook } from "../../shared/billing/prices/price-book.ts";
import { receiptKeySetOf, receiptKeysOf, signReceipt } from "../../shared/billing/receipts/receipt.ts";
import { ExportedRow } from "../../shared/usage/export.ts";
import { DAY_MS, HOUR_MS } from "../../shared/usage/period.ts";
import type { UsageRow } from "../../shared/usage/row.ts";
import { runCommand } from "../harness/command.ts";
import { type GatewayOverWorld, gatewayOver } from "../harness/gateway-over-world.ts";
import { createInvoicingWorld, type InvoicingWorld } from "../harness/invoicing.ts";
import { rowAt } from "../harness/sealing.ts";
import { recomputeInvoice } from "./independent-invoice.ts";

const FROM = Date.UTC(2027, 1, 1);
const TO = Date.UTC(2027, 2, 1);
const TENANTS = ["acme", "globex", "initech"] as const;
const SEED = 20_270_201;

const STANDARD: PriceBook = {
  name: "standard",
  currency: "EUR",
  effectiveFrom: "2027-02-01T00:00:00Z",
  entries: [
    {
      perRequest: { graduated: [{ upTo: 120, price: "0.0137" }, { price: "0.0071" }] },
      per1000InputTokens: { price: "0.351", free: 500 },
      per1000OutputTokens: { price: "1.5" },
      perComputeMs: { cpu: { price: "0.00021" } },
    },
    { model: "minilm", version: 2, perRequest: { price: "0.0205" } },
  ],
};
const DEARER: PriceBook = {
  ...STANDARD,
  effectiveFrom: "2027-02-16T00:00:00Z",
  entries: [{ ...STANDARD.entries[0], per1000OutputTokens: { price: "1.777" } }],
};
const YEN: PriceBook = {
  name: "yen",
  currency: "JPY",
  effectiveFrom: "2027-01-01T00:00:00Z",
  entries: [{ perRequest: { price: "1" }, per1000InputTokens: { price: "40.5" }, minimumPerRequest: "3" }],
};
const RATE: PriceBook = {
  name: "rate",
  currency: "USD",
  effectiveFrom: "2027-01-01T00:00:00Z",
  commitment: "55",
  entries: [
    { perRequest: { volume: [{ upTo: 50, price: "0.01" }, { price: "0.0083" }] } },
    {
      model: "minilm",
      perRequest: { price: "0.001" },
      perSecond: {
        percentile: { percentile: 95, silentSeconds: "skip", price: "12.5" },
        reserved: { requestsPerSecond: 1, price: "3.1", overage: "0.05" },
      },
    },
  ],
};

let world: InvoicingWorld;
let gateway: GatewayOverWorld;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "weir-invoices-"));
  world = createInvoicingWorld(FROM);
  for (const book of [STANDARD, DEARER, YEN, RATE]) await world.setPrices(book);
  await world.setSeller();
  await world.makeTenant("acme", { discountBps: 1_000 });
  await world.makeTenant("globex", { priceBook: "yen", taxRateBps: 1_000 });
  await world.makeTenant("initech", { priceBook: "rate", taxRateBps: 825 });
  await useAMonth();
  gateway = await gatewayOver(world);
}, 120_000);
afterAll(async () => {
  await gateway.close();
  await rm(folder, { recursive: true });
});

/** What all three use, from a seed; then a stream that was cut, a row that was voided, and one that came after its minute was sealed. */
async function useAMonth() {
  let state = SEED;
  const next = (max: number) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor(state / 65_536) % max;
  };
  const row = (): UsageRow => {
    const atMs = FROM + next(28) * DAY_MS + next(24) * HOUR_MS + next(3) * 1_000 + next(1_000);
    const pick = <T>(...some: readonly [T, ...T[]]): T => some[next(some.length)] ?? some[0];
    const counts = { inputTokens: next(400), outputTokens: next(90), computeMs: next(70), inputs: 1 + next(3) };
    return rowAt(atMs, {
      tenant: pick(...TENANTS),
      model: pick("minilm", "smollm2"),
      servedVersion: 1 + next(2),
      arm: pick("stable", "canary"),
      tier: pick("cpu", "edge"),
      ...counts,
    });
  };
  for (let count = 0; count < 1_500; count += 1) await world.settle(row());
  const cut = rowAt(FROM + 3 * DAY_MS, { tenant: "acme", model: "smollm2", outputTokens: 500, outcome: "cut" });
  await world.reserve(cut, { expiresAtMs: FROM + 3 * DAY_MS + 60_000, checkpointed: 128 });
  const voided = rowAt(FROM + 4 * DAY_MS, { tenant: "acme", outputTokens: 1_000_000 });
  await world.settle(voided);
  await world.mark(voided);
}

const weir = (line: string, key = gateway.operatorKey) =>
  runCommand(
    line.split(" ").map((word) => word.replaceAll("+", " ")),
    { WEIR_URL: gateway.url, WEIR_KEY: key },
  );

test("a simulated month of three tenants is sealed, invoiced, exported, verified, and recomputed by a script that shares no code", async () => {
  await world.sealAt(TO + HOUR_MS);
  await world.invoiceAt(TO + HOUR_MS);
  const early = await weir("invoices issue acme-2027-02");
  expect((await weir("invoices adjust acme-2027-02 --id a-1 --why half+a+day+of+outage -- -123")).code).toBe(0);
  await world.settle(rowAt(FROM + 27 * DAY_MS + 12 * HOUR_MS, { tenant: "acme", inputTokens: 77_777 })); // after its minute was sealed, before the second reading
  await world.sealAt(TO + 26 * HOUR_MS);
  await world.invoiceAt(TO + 26 * HOUR_MS);

  expect(early).toMatchObject({ code: 1 });
  expect(early.err).toMatch(/sealed 40,\d{3} of 40,\d{3}, audited [\d,]+ of 40,\d{3}/);
  for (const tenant of TENANTS) {
    const place = join(folder, tenant);
    expect((await weir(`invoices export ${tenant}-2027-02 ${place}`)).code).toBe(0);
    const verified = await weir(`invoices verify ${place}`);
    expect(verified.out).not.toContain("DIFFERS");
    expect(verified.code).toBe(0);
    const document = InvoiceDocument.parse(JSON.parse(readFileSync(join(place, "invoice.json"), "utf8")));
    const again = recomputeInvoice(place);
    expect(again.lines).toEqual(document.lines.map(({ component, amountMinor }) => `${component} ${amountMinor}`).sort());
    expect({ netMinor: again.netMinor, taxMinor: again.taxMinor, totalMinor: again.totalMinor }).toEqual(document.totals);
    expect([again.sealsDigest, again.rows]).toEqual([document.evidence?.sealsDigest, document.evidence?.rows]);
    console.log(
      `${tenant}: ${document.name}, ${document.lines.length} lines, ${document.evidence?.rows} rows, ${document.totals.totalMinor} ${document.currency} minor (seed ${SEED})`,
    );
  }
}, 120_000);

test("the cut stream is billed as far as it was delivered, the voided row not at all, and the late row by the seal's second revision", () => {
  const rows = readFileSync(join(folder, "acme", "rows.ndjson"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  const document = InvoiceDocument.parse(JSON.parse(readFileSync(join(folder, "acme", "invoice.json"), "utf8")));

  expect(rows.filter(({ outcome }) => outcome === "cut").map(({ outputTokens }) => outputTokens)).toEqual([128]);
  expect(rows.some(({ outputTokens }) => outputTokens === 1_000_000)).toBe(false);
  expect(rows.some(({ inputTokens }) => inputTokens === 77_777)).toBe(true);
  expect(document.evidence?.revised).toBe(1);
  expect(document.lines.at(-1)).toMatchObject({ component: "adjustment", amountMinor: "-123", note: "half a day of outage" });
});

test("a credit note, a void and a payment leave the documents as they were, and numbers without a gap", async () => {
  const before = new Map(world.objects);

  expect((await weir("invoices credit acme-2027-02 100 --id r-1 --why wrong+price")).code).toBe(0);
  expect((await weir("invoices void initech-2027-02 --why wrong+company")).code).toBe(0);
  expect((await weir("invoices pay globex-2027-02 --reference transfer+9")).code).toBe(0);
  const refused = await weir("invoices credit initech-2027-02 1 --id r-1 --why x");
  await world.invoiceAt(TO + 2 * DAY_MS);

  expect(refused).toMatchObject({ code: 1 });
  const listed = await weir("invoices list --month 2027-02");
  expect(listed.out).toMatch(/^acme-2027-02 +INV-00000\d +issued/m);
  expect(listed.out).toMatch(/^globex-2027-02 +INV-00000\d +paid/m);
  expect(listed.out).toMatch(/^initech-2027-02 +INV-00000\d +void/m);
  expect([...listed.out.matchAll(/INV-(\d+)/g)].map(([, number]) => Number(number)).sort()).toEqual([1, 2, 3]);
  expect((await world.deps.creditNotes.current("acme-2027-02.r-1"))?.body).toMatchObject({ state: "issued", name: "CN-000001" });
  for (const [key, bytes] of before) expect(world.objects.get(key)).toEqual(bytes);
});

test("a void month is invoiced again under the next number; both verify, and the one that stands adds up to its rows", async () => {
  expect((await weir("invoices replace initech-2027-02 --why right+company")).code).toBe(0);
  await world.invoiceAt(TO + 3 * DAY_MS);

  const shown = await weir("invoices show initech-2027-02");
  const listed = await weir("invoices list --month 2027-02");

  expect(shown.out).toContain("replaced by INV-000004 (initech-2027-02-r2)");
  expect((await weir("invoices show initech-2027-02-r2")).out).toMatch(/replaces INV-00000\d \(initech-2027-02\), which was taken back/);
  expect([...listed.out.matchAll(/INV-(\d+)/g)].map(([, number]) => Number(number)).sort()).toEqual([1, 2, 3, 4]);
  for (const id of ["initech-2027-02", "initech-2027-02-r2"]) {
    const place = join(folder, id);
    expect((await weir(`invoices export ${id} ${place}`)).code).toBe(0);
    expect((await weir(`invoices verify ${place}`)).out).not.toContain("DIFFERS");
    const document = InvoiceDocument.parse(JSON.parse(readFileSync(join(place, "invoice.json"), "utf8")));
    const { netMinor, taxMinor, totalMinor, sealsDigest } = recomputeInvoice(place);
    expect([{ netMinor, taxMinor, totalMinor }, sealsDigest]).toEqual([document.totals, document.evidence?.sealsDigest]);
  }
  const csv = readFileSync(join(folder, "initech-2027-02-r2", "invoice.csv"), "utf8");
  expect(
    csv
      .trimEnd()
      .split("\r\n")
      .slice(1)
      .every((row) => /,INV-00000\d,$/.test(row)),
  ).toBe(true);
});

test("a tenant exports and verifies its own invoice with its own key, and nobody else's", async () => {
  const key = await gateway.keyOf("globex", "usage");
  const place = join(folder, "by-globex");

  expect((await weir(`invoices export globex-2027-02 ${place}`, key)).code).toBe(0);
  expect((await weir(`invoices verify ${place}`, key)).code).toBe(0);
  expect((await weir(`invoices export acme-2027-02 ${place}`, key)).code).toBe(1);
});

test("whatever is changed in an export is found", async () => {
  const place = join(folder, "globex");
  const file = (name: string) => join(place, name);
  const spoil = async (name: string, change: (text: string) => string) => {
    const text = readFileSync(file(name), "utf8");
    writeFileSync(file(name), change(text));
    const verified = await weir(`invoices verify ${place}`);
    writeFileSync(file(name), text);
    return verified;
  };

  const row = await spoil("rows.ndjson", (text) => text.replace(/"inputTokens":(\d+)/, (_, count) => `"inputTokens":${Number(count) + 1}`));
  const missing = await spoil("rows.ndjson", (text) => text.split("\n").slice(1).join("\n"));
  const price = await spoil("prices.json", (text) => text.replace('"40.5"', '"41"'));
  const total = await spoil("invoice.json", (text) => text.replace(/"totalMinor":"(\d)/, '"totalMinor":"9$1'));

  expect(row.out).toContain("its rows are not those that were sealed");
  expect(missing.code).toBe(1);
  expect(price.out).toMatch(/^DIFFERS +\d+ +rows and prices give the invoice's lines$/m);
  expect(total.out).toMatch(/DIFFERS +3 +the document is the one that was issued/);
  expect([row, missing, price, total].map(({ code }) => code)).toEqual([1, 1, 1, 1]);
});

test("receipts of requests are held against the exported invoice, one by one", async () => {
  const [signing, place] = [receiptKeysOf({ "1": "a text that receipt keys are made of" }), join(folder, "globex")];
  const [kept, keys] = [join(folder, "receipts.txt"), join(folder, "receipt-keys.json")];
  const rows = readFileSync(join(place, "rows.ndjson"), "utf8").trim().split("\n").slice(0, 20);
  const receipts = rows.map((line) => {
    const { requestId, tenant, task, outcome, acceptedAt, model, servedVersion, ...row } = ExportedRow.parse(JSON.parse(line));
    const { inputs, inputTokens, outputTokens, computeMs, priceVersion } = row;
    const counts = { inputs, inputTokens, outputTokens, computeMs, priceVersion };
    return { schema: 1, requestId, tenant, task, outcome, acceptedAt, model: `${model}@${servedVersion}`, ...counts } as const;
  });
  const [first, ...others] = receipts;
  if (first === undefined) throw new Error("globex has rows");
  writeFileSync(keys, JSON.stringify(receiptKeySetOf(signing)));
  const reconcileWith = (some: readonly (typeof first)[]) => {
    writeFileSync(kept, some.map((receipt) => `: weir-receipt ${signReceipt(receipt, signing)}\n`).join(""));
    return weir(`receipts reconcile ${place} ${kept} --keys ${keys}`);
  };

  const all = await reconcileWith(receipts);
  const less = await reconcileWith([{ ...first, inputTokens: first.inputTokens + 1 }, ...others]);

  expect(all).toMatchObject({ code: 0, out: expect.stringMatching(/^20 receipts match their rows; \d+ rows have no receipt\n$/) });
  expect(less).toMatchObject({ code: 1, out: expect.stringContaining(`${first.requestId}: differs in inputTokens`) });
});

test("re-rating shows what another book would make of the same rows, per line and in total", async () => {
  const prices = join(folder, "cheaper.json");
  writeFileSync(prices, JSON.stringify({ ...YEN, entries: [{ perRequest: { price: "2" } }] }));

  const rated = await weir(`invoices re-rate ${join(folder, "globex")} --prices ${prices}`);

  expect(rated.code).toBe(0);
  expect(rated.out).toMatch(/^minilm@1 stable cpu requests +\d+ +\d+ +\d+ +\d+$/m);
  expect(rated.out).toMatch(/^total with tax +\d+ +\d+ +-\d+$/m);
});
