import { beforeEach, expect, test } from "vitest";
import { askCredit } from "../../shared/billing/invoices/accept-credit.ts";
import { isIssued } from "../../shared/billing/invoices/invoice.ts";
import { DAY_MS, HOUR_MS } from "../../shared/usage/period.ts";
import { createInvoicingWorld, type InvoicingWorld } from "../../test/harness/invoicing.ts";
import { rowAt } from "../../test/harness/sealing.ts";
import type { InvoicingDeps } from "./deps.ts";
import { createRound } from "./round.ts";

const OCTOBER = Date.UTC(2026, 9, 31, 20);
const AUDITED = Date.UTC(2026, 10, 1) + 26 * HOUR_MS;
const ASKED = AUDITED + 20 * DAY_MS;
/** November can be closed. */
const DECEMBER = Date.UTC(2026, 11, 3);
const TENANTS = ["acme", "beta"];

let world: InvoicingWorld;
beforeEach(async () => {
  world = createInvoicingWorld(OCTOBER);
  await world.setPrices({
    name: "standard",
    currency: "EUR",
    effectiveFrom: "2026-10-01T00:00:00Z",
    entries: [{ perRequest: { price: "0.5" } }],
  });
  await world.setSeller();
  for (const id of TENANTS) await world.makeTenant(id, {});
  for (const tenant of TENANTS) await world.settle(rowAt(OCTOBER, { tenant }));
  await world.sealAt(AUDITED);
  await world.invoiceAt(AUDITED);
  for (const tenant of TENANTS) await askOf(tenant);
});

function askOf(tenant: string) {
  const { invoices, creditNotes } = world.deps;
  const ask = { id: "r-1", amountMinor: "20", reason: "outage" };
  return askCredit({ invoices, creditNotes }, { invoice: `${tenant}-2026-10`, ask, change: { by: "k", why: "outage", atMs: ASKED } });
}

/** November without traffic, sealed and read again. */
function novemberIsClosed(): InvoicingDeps {
  const closed = { of: 1, sealed: 1, audited: 1 };
  return { ...world.deps, seals: { ...world.deps.seals, completeness: async () => closed } };
}

const stateOf = async (tenant: string) => (await world.deps.creditNotes.current(`${tenant}-2026-10.r-1`))?.body.state;
const doneThrough = async () => (await world.deps.progress.read())?.doneThrough;

test("a credit note gets a number of its own and documents in the next round, though two come at once", async () => {
  await Promise.all([world.invoiceAt(ASKED + DAY_MS), world.invoiceAt(ASKED + DAY_MS)]);

  const notes = await Promise.all(TENANTS.map(async (tenant) => (await world.deps.creditNotes.current(`${tenant}-2026-10.r-1`))?.body));
  expect(notes).toMatchObject(TENANTS.map(() => ({ state: "issued", credit: { amountMinor: "20", taxMinor: "3" } })));
  expect(notes.map((note) => note?.state === "issued" && note.name).sort()).toEqual(["CN-000001", "CN-000002"]);
  expect(await world.deps.numbers.read("credit-notes")).toEqual({ next: 3 });
});

test("a month with a credit note that was not come to is not done, and the next round issues it", async () => {
  const deps = novemberIsClosed();
  const stop = new AbortController();
  const creditNotes = {
    ...deps.creditNotes,
    list: (...asked: Parameters<typeof deps.creditNotes.list>) => {
      stop.abort();
      return deps.creditNotes.list(...asked);
    },
  };

  await createRound({ ...deps, creditNotes })({ nowMs: DECEMBER, signal: stop.signal });
  const then = { done: await doneThrough(), state: await stateOf("acme") };
  // The first one goes on from where the other ended, behind November.
  for (const _ of [1, 2]) await createRound(deps)({ nowMs: DECEMBER, signal: new AbortController().signal });

  expect(then).toEqual({ done: "2026-10", state: "accepted" });
  expect([await doneThrough(), await stateOf("acme"), await stateOf("beta")]).toEqual(["2026-11", "issued", "issued"]);
});

test("a credit note whose invoice is damaged takes no number, keeps its month open, and keeps nobody else waiting", async () => {
  const deps = novemberIsClosed();
  const damaged = (await deps.invoices.current("acme-2026-10"))?.body;
  if (damaged === undefined || !isIssued(damaged)) throw new Error("acme has no invoice");
  const { key } = damaged.issue.documents.json;
  const bytes = world.objects.get(key) ?? new Uint8Array();
  world.objects.set(key, bytes.slice(1));

  await createRound(deps)({ nowMs: DECEMBER, signal: new AbortController().signal });
  const then = { done: await doneThrough(), acme: await stateOf("acme"), beta: await stateOf("beta") };
  world.objects.set(key, bytes);
  await createRound(deps)({ nowMs: DECEMBER + HOUR_MS, signal: new AbortController().signal });

  expect(then).toEqual({ done: "2026-10", acme: "accepted", beta: "issued" });
  expect(world.logged).toEqual([expect.stringContaining("a credit note could not be issued")]);
  expect([await doneThrough(), await stateOf("acme"), await deps.numbers.read("credit-notes")]).toEqual(["2026-11", "issued", { next: 3 }]);
});
