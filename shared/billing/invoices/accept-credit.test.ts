import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { startDynamo, type TestDynamo } from "../../../test/harness/dynamo.ts";
import { issuedInvoiceOf } from "../../../test/harness/invoices.ts";
import { acceptCredit, askCredit } from "./accept-credit.ts";
import { creditNoteGroupOf } from "./credit-note.ts";
import { createCreditNoteStore, createInvoiceStore } from "./invoice-store.dynamo.ts";

const CHANGE = { by: "k1", why: "", atMs: Date.UTC(2026, 11, 5) };

let store: TestDynamo;
let logs: { invoices: ReturnType<typeof createInvoiceStore>; creditNotes: ReturnType<typeof createCreditNoteStore> };
let invoice: string;
let invoices = 0;
beforeAll(async () => {
  store = await startDynamo();
  logs = { invoices: createInvoiceStore(store.dynamo), creditNotes: createCreditNoteStore(store.dynamo) };
});
afterAll(() => store.close());
beforeEach(async () => {
  invoices += 1;
  const body = issuedInvoiceOf(`t${invoices}`);
  invoice = body.id;
  await logs.invoices.append(invoice, 0, { body, change: CHANGE });
});

const creditsOf = async () => {
  const body = (await logs.invoices.current(invoice))?.body;
  return body !== undefined && "credits" in body ? body.credits.map(({ amountMinor }) => amountMinor) : undefined;
};

test("a credit is taken from its invoice and listed by its month; asking again changes nothing", async () => {
  const ask = { id: "refund-1", amountMinor: "1000", reason: "outage" };

  const note = await askCredit(logs, { invoice, ask, change: CHANGE });
  const again = await askCredit(logs, { invoice, ask, change: { ...CHANGE, atMs: CHANGE.atMs + 1 } });

  expect(note).toMatchObject({ state: "accepted", id: `${invoice}.refund-1`, credit: { amountMinor: "1000" } });
  expect(again).toEqual(note);
  expect(await creditsOf()).toEqual(["1000"]);
  const listed = await logs.creditNotes.list(creditNoteGroupOf("2026-12"), { limit: 100 });
  expect(listed.items.map(({ body }) => body.id)).toContain(note.id);
});

test("what is more than is left is refused, and nothing is stored", async () => {
  const ask = { id: "too-much", amountMinor: "11901", reason: "x" };

  await expect(askCredit(logs, { invoice, ask, change: CHANGE })).rejects.toMatchObject({ code: "conflict", field: "amountMinor" });

  expect(await creditsOf()).toEqual([]);
  expect(await logs.creditNotes.current(`${invoice}.too-much`)).toBeUndefined();
});

test("of many credits at once no more is given than the invoice has, and each is either taken or refused", async () => {
  const asks = Array.from({ length: 8 }, (_, place) => ({ id: `c${place}`, amountMinor: "3000", reason: "x" }));

  const outcomes = await Promise.allSettled(asks.map((ask) => askCredit(logs, { invoice, ask, change: CHANGE })));

  expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(3);
  expect(await creditsOf()).toEqual(["3000", "3000", "3000"]);
});

test("a credit whose asker was killed after the first write is finished by whoever finds it", async () => {
  const ask = { id: "c", reason: "x", by: "k1", at: "2026-12-05T00:00:00.000Z", amountMinor: "5" };
  const body = { state: "asked", id: `${invoice}.c`, invoice, askedIn: "2026-12", ask } as const;
  const note = await logs.creditNotes.append(body.id, 0, { body, change: CHANGE });

  const both = await Promise.all([acceptCredit(logs, note, CHANGE), acceptCredit(logs, note, CHANGE)]);

  expect(both.map(({ state }) => state)).toEqual(["accepted", "accepted"]);
  expect(await creditsOf()).toEqual(["5"]);
});

test("who asks again after a kill, when others have taken what was left, is refused and gets no note", async () => {
  const ask = { id: "c", reason: "x", amountMinor: "5" };
  const body = {
    state: "asked",
    id: `${invoice}.c`,
    invoice,
    askedIn: "2026-12",
    ask: { ...ask, by: "k1", at: "2026-12-05T00:00:00.000Z" },
  } as const;
  await logs.creditNotes.append(body.id, 0, { body, change: CHANGE });
  await askCredit(logs, { invoice, ask: { id: "all", reason: "x" }, change: CHANGE });

  await expect(askCredit(logs, { invoice, ask, change: CHANGE })).rejects.toMatchObject({ code: "conflict", field: "amountMinor" });

  expect((await logs.creditNotes.current(body.id))?.body.state).toBe("refused");
  expect(await creditsOf()).toEqual(["11900"]);
});

test("an invoice that is not there has no credit note", async () => {
  const ask = { id: "c", amountMinor: "1", reason: "x" };

  await expect(askCredit(logs, { invoice: "nobody-2026-11", ask, change: CHANGE })).rejects.toMatchObject({ code: "not_found" });

  expect(await logs.creditNotes.current("nobody-2026-11.c")).toBeUndefined();
});
