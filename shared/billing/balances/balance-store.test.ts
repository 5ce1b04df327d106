import { expect, test } from "vitest";
import { createFakeDynamo } from "../../../test/harness/fake-dynamo/fake-dynamo.ts";
import { leanOver } from "../../../test/harness/fake-dynamo/lean.ts";
import { EMPTY_BALANCE } from "./balance.ts";
import { createBalanceStore } from "./balance-store.dynamo.ts";
import { changeBalance } from "./change-balance.ts";

test("a process whose clock is off the store's changes no balance: credits would expire by it", async () => {
  const store = createFakeDynamo({ tablePrefix: "weir" });
  const lean = leanOver(store);
  const off = createBalanceStore({ lean: { ...lean, clockSkewMs: () => -40 * 3_600_000 }, tablePrefix: "weir" });

  await expect(changeBalance(off, "acme", () => ({ balance: EMPTY_BALANCE, result: undefined }))).rejects.toMatchObject({
    code: "unavailable",
  });

  expect(store.items("balances")).toEqual([]);
  const sound = createBalanceStore({ lean, tablePrefix: "weir" });
  await changeBalance(sound, "acme", () => ({ balance: EMPTY_BALANCE, result: undefined }));
  expect(store.items("balances")).toHaveLength(1);
});
