import { expect, test } from "vitest";
import { MONEY } from "./guard-list.ts";
import { findGuards } from "./simulate.ts";

const SEEDS_MAX = 10;

/** Those that a few histories find, one of each table; `npm run simulate -- guards` looks for all. */
const GUARDS = [
  "ledger: put m st='P' IF attribute_not_exists(pk)",
  "ledger: SET pg=? WHERE e, pg, st IF st = 'P'",
  "seals: SET r1.*=? WHERE r1.* IF attribute_not_exists(r1.*)",
  "balances: put balance IF v = ?",
  "control: put invoice r IF attribute_not_exists(pk)",
];

test.for(GUARDS)("a store that does not ask `%s` is found out", { timeout: 120_000 }, async (guard) => {
  const { found } = await findGuards([guard], { seedsMax: SEEDS_MAX });

  console.log(`${guard}: seed ${found?.seed}, ${found?.violation}`);
  expect(MONEY.map((each) => each.guard)).toContain(guard);
  expect(found).toBeDefined();
});
