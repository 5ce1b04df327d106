import { afterAll, beforeAll, expect, test } from "vitest";
import { sha256Hex } from "../../shared/base/hash.ts";
import { canonicalJson } from "../../shared/billing/canonical-json.ts";
import type { Invoice } from "../../shared/billing/invoices/invoice.ts";
import { newDeletion } from "../../shared/tenants/deletion.ts";
import { CHANGE, startGateway, type TestGateway } from "../../test/harness/gateway.ts";
import { documentOf, issuedInvoiceOf, issuedOf } from "../../test/harness/invoices.ts";
import type { Sealed } from "../own/usage-export.ts";

const SELLER = { name: "Weir Hosting", address: ["Berlin"] };
const objects = new Map<string, Uint8Array>();
const documents = {
  put: async (key: string, bytes: Uint8Array) => void objects.set(key, bytes),
  get: async (key: string) => objects.get(key),
};

/** What is closed of any month. */
let closed = { sealed: 43_100, audited: 41_760, of: 43_200 };
const sealed = { seals: { completeness: async () => closed } } as unknown as Sealed; // what asking for an invoice reads of it

let gateway: TestGateway;
let acme: string;
let globex: string;
beforeAll(async () => {
  gateway = await startGateway({ override: () => ({ documents, sealed }) });
  acme = await gateway.makeKey("acme", "usage");
  globex = await gateway.makeKey("globex", "usage");
});
afterAll(() => gateway.close());

const keep = (body: Invoice) => gateway.deps.control.invoices.append(body.id, 0, { body, change: CHANGE });
const stored = async (id: string) => await gateway.deps.control.invoices.current(id);
const told = async () => (await gateway.deps.events.newEvents(100)).map(({ id }) => id);
const seen = (id: string) => gateway.ask("GET", `/admin/invoices/${id}`);

/** Keeps an issued invoice of acme whose three documents are one text. */
async function keepIssued(month: string, text = "the document"): Promise<string> {
  const bytes = Buffer.from(text);
  const kept = { key: `invoices/${month}`, sha256: sha256Hex(bytes), bytes: bytes.length };
  objects.set(kept.key, bytes);
  const body = issuedInvoiceOf("acme", month);
  await keep({ ...body, issue: { ...body.issue, documents: { json: kept, csv: kept, pdf: kept } } });
  return body.id;
}

test("an invoice is paid once, with who and why, and then neither voided nor paid by another payment", async () => {
  const id = await keepIssued("2026-01");

  const paid = await gateway.ask("POST", `/admin/invoices/${id}/pay`, {
    body: { reference: "transfer 5", paidAt: "2026-02-20T00:00:00Z" },
  });
  const again = await gateway.ask("POST", `/admin/invoices/${id}/pay`, { body: { reference: "transfer 5" } });
  const other = await gateway.ask("POST", `/admin/invoices/${id}/pay`, { body: { reference: "transfer 6" } });
  const voided = await gateway.ask("POST", `/admin/invoices/${id}/void`, { body: { reason: "x" } });

  expect(paid).toMatchObject({
    status: 200,
    json: { state: "paid", payment: { reference: "transfer 5" }, leftMinor: "11900", revision: { number: 2 } },
  });
  expect(again.json).toEqual(paid.json);
  expect([other.status, voided.status]).toEqual([409, 409]);
  expect((await told()).filter((event) => event.includes(id))).toEqual(["invoice-acme-2026-01-paid"]);
  expect((await stored(id))?.revision).toBe(2);
});

test("voiding keeps the number and says why", async () => {
  const id = await keepIssued("2026-02");

  const voided = await gateway.ask("POST", `/admin/invoices/${id}/void`, { body: { reason: "sent to the wrong company" } });

  expect(voided.json).toMatchObject({
    state: "void",
    leftMinor: "0",
    issue: { name: "INV-000017" },
    revision: { why: "sent to the wrong company" },
  });
  expect(await told()).toContain("invoice-acme-2026-02-voided");
});

test("a void invoice's month is asked for again once; what stands, and what nobody would be billed for, is refused and nothing is stored", async () => {
  const id = await keepIssued("2025-10");
  const ask = (reason: string) => gateway.ask("POST", `/admin/invoices/${id}/replace`, { body: { reason } });
  const asked = async () => await gateway.deps.control.replacements.current(`${id}-r2`);
  const standing = await ask("right company");
  await gateway.ask("POST", `/admin/invoices/${id}/void`, { body: { reason: "wrong company" } });
  const unbilled = await ask("right company");
  const before = await asked();
  const acme = await gateway.deps.control.tenants.current("acme");
  if (acme === undefined) throw new Error("there is no acme");
  const billed = { ...acme.body, billing: { priceBook: "standard", discountBps: 0, taxRateBps: 0 } };
  await gateway.deps.control.tenants.append("acme", acme.revision, { body: billed, change: CHANGE });

  const first = await ask("right company");
  const again = await ask("right company");
  const other = await ask("another reason");

  expect([standing.status, unbilled.status, before]).toEqual([409, 409, undefined]);
  expect(first).toMatchObject({
    status: 201,
    json: { id: `${id}-r2`, state: "asked", replaces: { id, name: "INV-000017" }, adjustments: [] },
  });
  expect(again.json).toEqual(first.json);
  expect(other.status).toBe(409);
  expect((await asked())?.revision).toBe(1);
  await keep({ ...issuedInvoiceOf("acme", "2025-10"), id: `${id}-r2` });
  expect((await gateway.ask("GET", "/admin/invoices?month=2025-10")).json).toMatchObject({
    items: [{ id, state: "void" }, { id: `${id}-r2` }],
  });
  expect((await seen(`${id}-r2`)).json).toMatchObject({ state: "issued" });
});

test("a credit is taken from what is left; more than that is refused and changes nothing", async () => {
  const id = await keepIssued("2026-03");

  const note = await gateway.ask("POST", `/admin/invoices/${id}/credits`, { body: { id: "r-1", amountMinor: "10000", reason: "outage" } });
  const tooMuch = await gateway.ask("POST", `/admin/invoices/${id}/credits`, {
    body: { id: "r-2", amountMinor: "1901", reason: "outage" },
  });

  expect(note).toMatchObject({ status: 201, json: { state: "accepted", credit: { amountMinor: "10000" } } });
  expect(tooMuch).toMatchObject({ status: 409, json: { error: { code: "conflict", field: "amountMinor" } } });
  expect((await seen(id)).json).toMatchObject({ leftMinor: "1900", credits: [{ id: "r-1" }] });
  expect((await gateway.ask("GET", `/admin/invoices/${id}/credits/r-2`)).status).toBe(404);
  expect((await gateway.ask("GET", `/admin/invoices/${id}/credits/r-1/pdf`)).status).toBe(409);
});

test("an adjustment goes into a draft and nowhere else", async () => {
  const { issue: _, credits: __, ...head } = issuedInvoiceOf("acme", "2026-04");
  const document = { key: "invoices/draft", sha256: "0".repeat(64), bytes: 2 };
  objects.set(document.key, Buffer.from("{}"));
  await keep({ ...head, state: "draft", document, madeAt: "2026-04-02T00:00:00.000Z" });
  const issued = await keepIssued("2026-05");
  const adjustment = { id: "a-1", amountMinor: "-500", reason: "outage of the 3rd" };

  const adjusted = await gateway.ask("POST", "/admin/invoices/acme-2026-04/adjustments", { body: adjustment });
  const late = await gateway.ask("POST", `/admin/invoices/${issued}/adjustments`, { body: adjustment });

  expect(adjusted).toMatchObject({
    status: 201,
    json: { state: "draft", adjustments: [{ ...adjustment, by: gateway.operatorKey.split("_")[3] }] },
  });
  expect(late.status).toBe(409);
  expect((await stored(issued))?.revision).toBe(1);
  expect((await gateway.ask("GET", "/admin/invoices/acme-2026-04/pdf")).status).toBe(409);
  expect(await gateway.ask("GET", "/admin/invoices/acme-2026-04/json")).toMatchObject({ status: 200, text: "{}" });
  objects.delete(document.key); // as the deletion of its tenant leaves it
  for (const what of ["json", "prices"])
    expect(await gateway.ask("GET", `/admin/invoices/acme-2026-04/${what}`)).toMatchObject({
      status: 404,
      json: { error: { field: "id" } },
    });
});

test("an invoice that is asked for too early is refused with how much of its month is sealed, and nothing is begun", async () => {
  const { issue: _, credits: __, ...head } = issuedInvoiceOf("acme", "2026-09");
  const document = { key: "invoices/draft", sha256: "0".repeat(64), bytes: 2 };
  await keep({ ...head, state: "draft", document, madeAt: "2026-09-30T00:00:00.000Z" });

  const early = await gateway.ask("POST", "/admin/invoices/acme-2026-09/issue");
  closed = { sealed: 43_200, audited: 43_200, of: 43_200 };
  const inTime = await gateway.ask("POST", "/admin/invoices/acme-2026-09/issue");

  expect(early).toMatchObject({ status: 409, json: { error: { code: "conflict" } } });
  expect(early.text).toContain("sealed 43,100 of 43,200, audited 41,760 of 43,200");
  expect(inTime).toMatchObject({ status: 202, json: { state: "draft" } });
  expect((await stored("acme-2026-09"))?.revision).toBe(1);
});

test("a month that has no draft yet is refused in the same words, and a month without usage has no invoice", async () => {
  const current = await gateway.deps.control.tenants.current("acme");
  if (current === undefined) throw new Error("no tenant");
  const billing = { priceBook: "standard", discountBps: 0, taxRateBps: 0 };
  await gateway.deps.control.tenants.append("acme", current.revision, { body: { ...current.body, billing }, change: CHANGE });
  const ask = (id: string) => gateway.ask("POST", `/admin/invoices/${id}/issue`);

  closed = { sealed: 0, audited: 0, of: 43_200 };
  const [running, inPlace, unbilled] = await Promise.all([ask("acme-2026-06"), ask("acme-2026-06-r2"), ask("globex-2026-06")]);
  closed = { sealed: 43_200, audited: 43_200, of: 43_200 };
  const over = await ask("acme-2026-06");

  expect(running).toMatchObject({ status: 409, text: expect.stringContaining("sealed 0 of 43,200, audited 0 of 43,200") });
  expect([inPlace, unbilled, over].map(({ status }) => status)).toEqual([404, 404, 404]);
  expect(await stored("acme-2026-06")).toBeUndefined();
});

test("the prices that an invoice follows from come with all their revisions, to its tenant alone", async () => {
  const id = await keepIssued("2025-12", canonicalJson(issuedOf(documentOf([]))));
  const book = { name: "standard", currency: "EUR", effectiveFrom: "2026-10-01T00:00:00Z", entries: [{ perRequest: { price: "0.5" } }] };
  await gateway.deps.control.prices.append("standard", 0, { body: book, change: CHANGE });

  const prices = await gateway.ask("GET", `/v1/invoices/${id}/prices`, { key: acme });

  expect(prices.json).toEqual({ name: "standard", revisions: [{ revision: 1, body: book }] });
  expect((await gateway.ask("GET", `/v1/invoices/${id}/prices`, { key: globex })).status).toBe(404);
});

test("prices of a model that only others may use name it to nobody else, unless the invoice charges for it", async () => {
  const { models, prices } = gateway.deps.control;
  for (const name of ["globex-only", "acme-once"]) await models.append(name, 0, { body: { name, tenants: ["globex"] }, change: CHANGE });
  await models.append("public", 0, { body: { name: "public", tenants: "*" }, change: CHANGE });
  const perSecond = { reserved: { requestsPerSecond: 1, price: "1", overage: "0" } };
  const entries = [
    {},
    { model: "public" },
    { model: "globex-only", perSecond: { peak: { of: "hour" as const, price: "1" } } },
    { model: "globex-only", version: 2 },
    { model: "acme-once" },
    { model: "due", perSecond },
  ];
  const book = { name: "shared", currency: "EUR", effectiveFrom: "2026-10-01T00:00:00Z", entries };
  await prices.append("shared", 0, { body: book, change: CHANGE });
  const priceBook = { name: "shared", revisions: [1], discountBps: 0 };
  const unpriced = [{ model: "acme-once", version: 1, requests: 1n }];
  const id = await keepIssued("2025-11", canonicalJson(issuedOf(documentOf([], { priceBook, unpriced }))));

  const own = await gateway.ask("GET", `/v1/invoices/${id}/prices`, { key: acme });
  const all = await gateway.ask("GET", `/admin/invoices/${id}/prices`);

  const shown = entries.filter(({ model }) => model !== "globex-only");
  expect(own.json).toEqual({ name: "shared", revisions: [{ revision: 1, body: { ...book, entries: shown } }] });
  expect(all.json).toEqual({ name: "shared", revisions: [{ revision: 1, body: book }] });
});

test("documents are given as they were kept; one that was changed in the store is not given at all", async () => {
  const id = await keepIssued("2026-06", "as it was sent");

  const pdf = await gateway.ask("GET", `/admin/invoices/${id}/pdf`);
  objects.set("invoices/2026-06", Buffer.from("as somebody wishes"));
  const changed = await gateway.ask("GET", `/admin/invoices/${id}/pdf`);

  expect(pdf).toMatchObject({ status: 200, text: "as it was sent" });
  expect([pdf.headers.get("content-type"), pdf.headers.get("content-disposition")]).toEqual([
    "application/pdf",
    'attachment; filename="INV-000017.pdf"',
  ]);
  expect(changed.status).toBe(500);
});

test("a tenant sees its own invoices, and another's as if there were none", async () => {
  const id = await keepIssued("2026-07");

  const paths = ["", "/json", "/csv", "/pdf", "/credits/x"].map((rest) => `/v1/invoices/${id}${rest}`);
  const own = await Promise.all(paths.map((path) => gateway.ask("GET", path, { key: acme })));
  const others = await Promise.all(paths.map((path) => gateway.ask("GET", path, { key: globex })));

  expect(own.map(({ status }) => status)).toEqual([200, 200, 200, 200, 404]);
  expect(others.map(({ status }) => status)).toEqual([404, 404, 404, 404, 404]);
  expect(others.map(({ text }) => text.replace(/"requestId":"[^"]*"/, ""))).toEqual(
    Array(5).fill(others[0]?.text.replace(/"requestId":"[^"]*"/, "")),
  );
  expect((await gateway.ask("GET", "/v1/invoices?limit=100", { key: globex })).json).toEqual({ items: [] });
  expect((await gateway.ask("GET", "/v1/invoices?limit=1", { key: acme })).json).toMatchObject({ items: [{ tenant: "acme" }] });
  expect((await gateway.ask("POST", `/admin/invoices/${id}/pay`, { key: acme, body: { reference: "x" } })).status).toBe(403);
  expect((await stored(id))?.revision).toBe(1);
});

test("a key without the scope sees nothing", async () => {
  const key = await gateway.makeKey("acme", "infer");

  expect((await gateway.ask("GET", "/v1/invoices", { key })).status).toBe(403);
});

test("operators list a tenant's invoices, or a month's of all tenants, and have to say which", async () => {
  await keepIssued("2026-08");

  const month = await gateway.ask("GET", "/admin/invoices?month=2026-08");

  expect(month.json).toMatchObject({ items: [{ id: "acme-2026-08" }] });
  expect((await gateway.ask("GET", "/admin/invoices?tenant=globex")).json).toEqual({ items: [] });
  expect((await gateway.ask("GET", "/admin/invoices")).status).toBe(400);
  expect((await gateway.ask("GET", "/admin/invoices?month=2026-13")).status).toBe(400);
  expect((await gateway.ask("GET", "/admin/invoices/acme-2030-01")).status).toBe(404);
  expect((await gateway.ask("GET", "/admin/invoices/..%2Fx")).status).toBe(404);
});

test("the seller's details are kept with their history; prefixes that would mix two series of numbers are refused", async () => {
  expect((await gateway.ask("GET", "/admin/seller")).status).toBe(404);

  const set = await gateway.ask("PUT", "/admin/seller", { body: { ...SELLER, why: "first" } });
  const mixed = await gateway.ask("PUT", "/admin/seller", { body: { ...SELLER, creditPrefix: "INV" } });

  expect(set).toMatchObject({
    status: 200,
    json: { invoicePrefix: "INV", creditPrefix: "CN", paymentTermDays: 30, revision: { number: 1, why: "first" } },
  });
  expect(mixed.status).toBe(400);
  expect((await gateway.ask("GET", "/admin/seller/history")).json).toMatchObject({ items: [{ name: "Weir Hosting" }] });
});

test("a deleted tenant's void invoice is not replaced: there is no name and address for another one", async () => {
  const id = await keepIssued("2025-09");
  await gateway.ask("POST", `/admin/invoices/${id}/void`, { body: { reason: "wrong company" } });
  await gateway.deps.control.deletions.append("acme", 0, { body: newDeletion("acme", Date.UTC(2026, 0), 10), change: CHANGE });

  const asked = await gateway.ask("POST", `/admin/invoices/${id}/replace`, { body: { reason: "right company" } });

  expect([asked.status, await gateway.deps.control.replacements.current(`${id}-r2`)]).toEqual([409, undefined]);
  expect(JSON.stringify(asked.json)).toContain("deleted");
});
