import { afterAll, beforeAll, expect, test } from "vitest";
import { stopClock } from "../../../test/harness/clock.ts";
import { startDynamo, type TestDynamo } from "../../../test/harness/dynamo.ts";
import { createMemoryBalances, createMemoryLog } from "../../../test/harness/memory-balances.ts";
import { createLeanDynamo, type LeanDynamo } from "../../dynamo/lean-client.ts";
import { applyCredit } from "./apply-credit.ts";
import { type BalanceStore, balancePico, GRANTS_MAX, VERDICTS_MAX } from "./balance.ts";
import { createBalanceStore } from "./balance-store.dynamo.ts";
import { type Credit, creditGroupOf, NewAdjustment, NewGrant } from "./credit.ts";
import { createCreditStore } from "./credit-store.dynamo.ts";

let store: TestDynamo;
let lean: LeanDynamo;
let balances: BalanceStore;
beforeAll(async () => {
  store = await startDynamo();
  lean = createLeanDynamo(store.dynamo.settings, stopClock());
  balances = createBalanceStore({ lean, tablePrefix: "weir" });
});
afterAll(async () => {
  await lean.close();
  await store.close();
});

const stamp = { by: "key1", why: "payment 17", atMs: Date.UTC(2026, 10, 23) };
const creditOf = (tenant: string, id: string, amount: number, rest: Partial<Credit> = {}) => ({
  tenant,
  id,
  kind: amount < 0 ? ("adjustment" as const) : ("grant" as const),
  amountPico: `${amount}`,
  expiresAt: null,
  priority: 50,
  ...rest,
});

test("a credit is applied once, with its record, whoever sends it how often", async () => {
  const deps = { balances, credits: createCreditStore(store.dynamo) };
  const send = () => applyCredit(deps, { credit: creditOf("acme", "payment-17", 500), stamp });

  const answers = await Promise.all([send(), send(), send()]);
  await applyCredit(deps, { credit: creditOf("acme", "goodwill", -20), stamp });

  expect(new Set(answers.map(({ body }) => body.state))).toEqual(new Set(["applied"]));
  expect(balancePico((await balances.read("acme")).balance)).toBe(480n);
  expect((await deps.credits.history("acme/payment-17", { limit: 10 })).items.map(({ body }) => body.state)).toEqual([
    "applied",
    "requested",
  ]);
  expect((await deps.credits.list(creditGroupOf("acme"), { limit: 10 })).items.map(({ body }) => body.id)).toEqual([
    "goodwill",
    "payment-17",
  ]);
});

test("the same id with another content is a conflict and changes nothing", async () => {
  const deps = { balances, credits: createCreditStore(store.dynamo) };
  await applyCredit(deps, { credit: creditOf("globex", "one", 500), stamp });

  for (const other of [creditOf("globex", "one", 501), creditOf("globex", "one", 500, { priority: 1 })]) {
    await expect(applyCredit(deps, { credit: other, stamp })).rejects.toMatchObject({ code: "conflict", field: "id" });
  }

  expect(balancePico((await balances.read("globex")).balance)).toBe(500n);
});

test("more than is free is not taken away, now or when it is sent again", async () => {
  const deps = { balances: createMemoryBalances(), credits: createMemoryLog<Credit>() };
  await applyCredit(deps, { credit: creditOf("acme", "a", 10), stamp });
  const send = () => applyCredit(deps, { credit: creditOf("acme", "b", -11), stamp });

  await expect(send()).rejects.toMatchObject({ code: "conflict", field: "amount" });
  await applyCredit(deps, { credit: creditOf("acme", "c", 10), stamp });
  await expect(send()).rejects.toMatchObject({ code: "conflict" });

  expect(balancePico(deps.balances.peek("acme"))).toBe(20n);
});

test("a balance holds so many grants; one that is refused leaves nothing in it", async () => {
  const deps = { balances: createMemoryBalances(), credits: createMemoryLog<Credit>() };
  for (let index = 0; index < GRANTS_MAX; index += 1) await applyCredit(deps, { credit: creditOf("acme", `g${index}`, 1), stamp });

  await expect(applyCredit(deps, { credit: creditOf("acme", "more", 1), stamp })).rejects.toThrow("at most 100 grants");

  expect(balancePico(deps.balances.peek("acme"))).toBe(BigInt(GRANTS_MAX));
});

test("grants that are over make room for others, though nobody has used the balance since", async () => {
  const deps = { balances: createMemoryBalances(), credits: createMemoryLog<Credit>() };
  const ends = { expiresAt: new Date(stamp.atMs + 1_000).toISOString() };
  for (let index = 0; index < GRANTS_MAX; index += 1) await applyCredit(deps, { credit: creditOf("acme", `g${index}`, 1, ends), stamp });

  const late = { credit: creditOf("acme", "new-year", 7), stamp: { ...stamp, atMs: stamp.atMs + 2_000 } };
  const given = await applyCredit(deps, late);

  expect(given.body.state).toBe("applied");
  const balance = deps.balances.peek("acme");
  expect([balancePico(balance), balance.expiredPico, balance.grantedPico]).toEqual([7n, BigInt(GRANTS_MAX), BigInt(GRANTS_MAX) + 7n]);
});

test("verdicts that records say leave the balance, and a credit sent again after that is still known", async () => {
  const deps = { balances: createMemoryBalances(), credits: createMemoryLog<Credit>() };
  const send = (index: number) => applyCredit(deps, { credit: creditOf("acme", `c${index}`, index % 2 === 0 ? 2 : -2), stamp });
  for (let index = 0; index < VERDICTS_MAX + 2; index += 1) await send(index);

  for (let index = 0; index < 10; index += 1) await send(index);

  expect(deps.balances.peek("acme").verdicts.length).toBeLessThan(5);
  expect(balancePico(deps.balances.peek("acme"))).toBe(0n);
});

test("a credit whose record still waits is finished by whoever sends it again", async () => {
  const deps = { balances: createMemoryBalances(), credits: createMemoryLog<Credit>() };
  const credit = creditOf("acme", "a", 10);
  await deps.credits.append("acme/a", 0, { body: { ...credit, state: "requested" }, change: stamp });

  const done = await applyCredit(deps, { credit, stamp });

  expect(done.body.state).toBe("applied");
  expect(balancePico(deps.balances.peek("acme"))).toBe(10n);
});

test("of two that write a balance at once, one has to read again", async () => {
  const read = await balances.read("twice");

  const [one, other] = await Promise.all([balances.write("twice", read), balances.write("twice", read)]);

  expect([one, other].sort()).toEqual([false, true]);
});

test.each(["0", "-1", "1e3", "", "1,5", 1, "0.0000000000001", "9".repeat(16)])("an amount of %j is refused", (amount) => {
  expect(NewGrant.safeParse({ id: "a", amount, why: "x" }).success).toBe(false);
});

test("an adjustment may be negative, and both say why", () => {
  expect(NewAdjustment.safeParse({ id: "a", amount: "-2.5", why: "x" }).success).toBe(true);
  expect(NewAdjustment.safeParse({ id: "a", amount: "--2.5", why: "x" }).success).toBe(false);
  expect(NewAdjustment.safeParse({ id: "a", amount: "2.5", why: "" }).success).toBe(false);
  expect(NewGrant.safeParse({ id: "a:b", amount: "2.5", why: "x" }).success).toBe(false);
});
