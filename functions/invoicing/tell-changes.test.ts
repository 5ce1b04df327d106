import { beforeEach, expect, test } from "vitest";
import { askCredit } from "../../shared/billing/invoices/accept-credit.ts";
import { type Invoice, pay, voidInvoice } from "../../shared/billing/invoices/invoice.ts";
import { createEventStore } from "../../shared/events/event-store.dynamo.ts";
import { DAY_MS, HOUR_MS } from "../../shared/usage/period.ts";
import { createInvoicingWorld, type InvoicingWorld } from "../../test/harness/invoicing.ts";
import { rowAt } from "../../test/harness/sealing.ts";

const OCTOBER = Date.UTC(2026, 9, 31, 22);
const AUDITED = Date.UTC(2026, 10, 1) + 26 * HOUR_MS;
const EVENTS_MAX = 100;

let world: InvoicingWorld;
beforeEach(async () => {
  world = createInvoicingWorld(OCTOBER);
  const prices = { name: "standard", currency: "EUR", effectiveFrom: "2026-10-01T00:00:00Z", entries: [{ perRequest: { price: "0.5" } }] };
  await world.setPrices(prices);
  await world.setSeller();
  for (const tenant of ["acme", "globex"]) {
    await world.makeTenant(tenant, {});
    await world.settle(rowAt(OCTOBER + HOUR_MS, { tenant }));
  }
  await world.sealAt(AUDITED);
});

const events = () => createEventStore({ lean: world.lean, tablePrefix: "weir" });
const untold = () => events().newEvents(EVENTS_MAX);

/** Hands events to webhooks that nobody has: what is told again after that is told twice. */
async function deliverAll(): Promise<string[]> {
  const told = await untold();
  for (const event of told) await events().fanOut(event, []);
  return told.map(({ id }) => id);
}

/** Changes an invoice as a gateway does that died before it could tell anybody. */
async function change(id: string, atMs: number, to: (invoice: Invoice) => Invoice) {
  const current = await world.deps.invoices.current(id);
  if (current === undefined) throw new Error(`there is no ${id}`);
  await world.deps.invoices.append(id, current.revision, { body: to(current.body), change: { by: "k", why: "test", atMs } });
}

test("an invoice that is issued is told once, with its number and total, however often rounds come, also beside each other", async () => {
  await Promise.all([world.invoiceAt(AUDITED), world.invoiceAt(AUDITED)]);
  const [first] = await untold();
  const told = await deliverAll();
  await Promise.all([world.invoiceAt(AUDITED + HOUR_MS), world.invoiceAt(AUDITED + HOUR_MS)]);

  expect(first).toEqual({
    id: "invoice-acme-2026-10-issued",
    type: "invoice.issued",
    tenant: "acme",
    at: new Date(AUDITED).toISOString(),
    data: {
      invoice: "acme-2026-10",
      number: expect.stringMatching(/^INV-00000[12]$/),
      month: "2026-10",
      currency: "EUR",
      total: "0.60",
      issuedAt: new Date(AUDITED).toISOString(),
      dueAt: new Date(AUDITED + 30 * DAY_MS).toISOString(),
    },
  });
  expect(told).toEqual(["invoice-acme-2026-10-issued", "invoice-globex-2026-10-issued"]);
  expect(await untold()).toEqual([]);
});

test("a payment and a void are told by the next round if the gateway that wrote them died, and once", async () => {
  await world.invoiceAt(AUDITED);
  await deliverAll();
  const atMs = AUDITED + 2 * DAY_MS;
  await change("acme-2026-10", atMs, (invoice) => pay(invoice, { reference: "transfer 5", paidAt: "2026-11-02T00:00:00.000Z" }));
  await change("globex-2026-10", atMs + 1, (invoice) =>
    voidInvoice(invoice, { reason: "wrong company", at: new Date(atMs).toISOString() }),
  );

  await Promise.all([world.invoiceAt(atMs + HOUR_MS), world.invoiceAt(atMs + HOUR_MS)]);
  const told = await untold();
  await deliverAll();
  await world.invoiceAt(atMs + HOUR_MS + 1);

  expect(told).toMatchObject([
    { id: "invoice-acme-2026-10-paid", type: "invoice.paid", at: new Date(atMs).toISOString(), data: { reference: "transfer 5" } },
    { id: "invoice-globex-2026-10-voided", type: "invoice.voided", tenant: "globex", data: { reason: "wrong company" } },
  ]);
  expect(await untold()).toEqual([]);
});

test("after months of being off, rounds tell everything since", async () => {
  await world.invoiceAt(AUDITED);
  await deliverAll();
  await change("acme-2026-10", AUDITED + HOUR_MS, (invoice) => pay(invoice, { reference: "x", paidAt: "2026-11-02T00:00:00.000Z" }));

  for (let rounds = 0; rounds < 2; rounds += 1) await world.invoiceAt(AUDITED + 70 * DAY_MS);

  expect(await deliverAll()).toEqual(["invoice-acme-2026-10-paid"]);
});

test("a credit note is told when it has its number, with what it gives back of which invoice", async () => {
  await world.invoiceAt(AUDITED);
  await deliverAll();
  const change = { by: "k", why: "outage", atMs: AUDITED + DAY_MS };
  await askCredit(world.deps, { invoice: "acme-2026-10", ask: { id: "r-1", amountMinor: "25", reason: "outage" }, change });

  await Promise.all([world.invoiceAt(AUDITED + 2 * DAY_MS), world.invoiceAt(AUDITED + 2 * DAY_MS)]);
  const told = await untold();
  await deliverAll();
  await world.invoiceAt(AUDITED + 3 * DAY_MS);

  expect(told).toMatchObject([
    {
      id: "credit-note-acme-2026-10.r-1-issued",
      type: "credit_note.issued",
      tenant: "acme",
      data: {
        creditNote: "acme-2026-10.r-1",
        number: "CN-000001",
        invoice: "acme-2026-10",
        currency: "EUR",
        total: "0.25",
        reason: "outage",
      },
    },
  ]);
  expect(await untold()).toEqual([]);
});
