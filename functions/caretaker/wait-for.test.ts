import { afterAll, beforeAll, expect, test } from "vitest";
import type { Invoice } from "../../shared/billing/invoices/invoice.ts";
import { newDeletion, STEPS, stepOf } from "../../shared/tenants/deletion.ts";
import { startDynamo, type TestDynamo } from "../../test/harness/dynamo.ts";
import { CHANGE, createErasingWorld, type ErasingWorld, INVOICED_AT_MS } from "../../test/harness/erasing.ts";

const DAY_MS = 86_400_000;

let store: TestDynamo;
let world: ErasingWorld;
beforeAll(async () => {
  store = await startDynamo();
  world = createErasingWorld(store.dynamo);
});
afterAll(() => store.close());

test("where nothing was ever issued for want of a seller, a draft is no reason to wait", async () => {
  await world.makeTenant("unbilled");
  await world.deps.invoices.append("unbilled-2026-10", 0, { body: draftOf("unbilled"), change: CHANGE });

  await world.runAt(INVOICED_AT_MS);

  expect(await world.stateOf("unbilled")).toMatchObject({ state: "erased" });
  expect(STEPS.map((name) => stepOf({ ...newDeletion("x", 0, 10), steps: {} }, name).erased)).toEqual(STEPS.map(() => 0));
});

test("an invoice that may still be issued is waited for, but not for ever; the seller says for how long documents are kept", async () => {
  await world.setSeller(6);
  await world.makeTenant("globex");
  await world.deps.invoices.append("globex-2026-10", 0, { body: draftOf("globex"), change: CHANGE });
  const dueAtMs = INVOICED_AT_MS + 30 * DAY_MS;

  await world.runAt(INVOICED_AT_MS);
  expect(await world.stateOf("globex")).toMatchObject({
    ...{ state: "waiting", waitingFor: "the invoice globex-2026-10, which is not issued, until 2026-12-04T00:00:00.000Z" },
  });
  expect((await world.deps.tenants.current("globex"))?.body.name).toBe("Jane Doe");
  await world.runAt(dueAtMs);

  expect(await world.stateOf("globex")).toMatchObject({ state: "erased", keptUntil: "2033-01-01T00:00:00.000Z" });
});

/** A void invoice of long ago, and what was asked in its place before its tenant was deleted. */
async function askAnew(tenant: string) {
  const { invoices, replacements } = world.deps;
  const id = `${tenant}-2026-08`;
  const paid = (await invoices.current(`${tenant}-2026-09`))?.body;
  if (paid?.state !== "paid") throw new Error("September is paid");
  const { state: _, payment: __, ...issued } = paid;
  const at = "2026-10-01T00:00:00.000Z";
  const taken: Invoice = { ...issued, id, month: "2026-08", credits: [], state: "void", voided: { reason: "wrong", at } };
  await invoices.append(id, 0, { body: taken, change: CHANGE });
  const last: Invoice = { ...issued, id: `${tenant}-2026-10`, month: "2026-10", state: "issued" };
  await invoices.append(last.id, 0, { body: last, change: CHANGE });
  const replaces = { id, name: "INV-000001", issuedAt: at };
  const asked = { id: `${id}-r2`, replaces, askedIn: "2026-10", reason: "right", by: "k", at, adjustments: [], state: "asked" } as const;
  await replacements.append(asked.id, 0, { body: asked, change: CHANGE });
  return { taken, asked };
}

test("what was asked for in place of a void invoice is waited for until it is made, for it names its buyer", async () => {
  await world.makeTenant("anew");
  const { taken, asked } = await askAnew("anew");

  await world.runAt(INVOICED_AT_MS);
  expect(await world.stateOf("anew")).toMatchObject({
    ...{ state: "waiting", waitingFor: "the invoice anew-2026-08-r2, which is not issued, until 2026-12-04T00:00:00.000Z" },
  });
  expect((await world.deps.tenants.current("anew"))?.body.name).toBe("Jane Doe");
  const issued = { id: asked.id, name: "INV-000002", issuedAt: "2026-11-04T01:00:00.000Z" };
  await world.deps.invoices.append(taken.id, 1, { body: { ...taken, replacedBy: issued } as Invoice, change: CHANGE });
  await world.deps.replacements.append(asked.id, 1, { body: { ...asked, state: "issued", issued }, change: CHANGE });
  await world.runAt(INVOICED_AT_MS + DAY_MS);

  expect(await world.stateOf("anew")).toMatchObject({ state: "erased" });
});

test("it is not waited for for ever either", async () => {
  await world.makeTenant("never");
  await askAnew("never");

  await world.runAt(INVOICED_AT_MS + 30 * DAY_MS);

  expect(await world.stateOf("never")).toMatchObject({ state: "erased" });
});

function draftOf(tenant: string): Invoice {
  return {
    ...{ id: `${tenant}-2026-10`, tenant, month: "2026-10", currency: "EUR", state: "draft", madeAt: "2026-11-01T00:00:00.000Z" },
    ...{ adjustments: [], closed: { of: 1, sealed: 1, audited: 0 }, totals: { netMinor: "1", taxMinor: "0", totalMinor: "1" } },
    document: { key: `invoices/${tenant}`, sha256: "0".repeat(64), bytes: 1 },
  };
}
