import { expect, test } from "vitest";
import { MONEY } from "./guard-list.ts";
import { findGuards } from "./simulate.ts";

/** Any change of the product makes other histories of the same seeds: so many that each guard would be found in several. */
const SEEDS_MAX = 100;

/** Those that a few histories find, one of each table; `npm run simulate -- guards` looks for all. */
const GUARDS = [
  "ledger: put m st='P' IF attribute_not_exists(pk)",
  "ledger: SET pg=? WHERE e, pg, st IF pg <= ?",
  "ledger: SET st='S' WHERE e, st IF st = 'P'",
  "ledger: SET e=?, SET st='S' WHERE e, pg, st IF pg = ?",
  "ledger: SET e=?, SET st='X' WHERE e, pg, st IF st = 'P'",
  "idempotency: put IF e = ?",
  "idempotency: SET b=?, SET hd=? WHERE ri IF ri = ?",
  "idempotency: REMOVE b, REMOVE bk, REMOVE hd WHERE ri IF ri = ?",
  "idempotency: get IF ConsistentRead",
  "seals: SET r1.*=? WHERE r1.* IF attribute_not_exists(r1.*)",
  "seals: SET a.*=?, SET r1.*=? WHERE a.*, r1.* IF attribute_not_exists(r1.*)",
  "seals: SET next=? WHERE next IF next < ?",
  "seals: put hours IF (attribute_not_exists(pk) or n < ?)",
  "seals: put t hour IF (attribute_not_exists(pk) or n < ?)",
  "seals: put t month IF (attribute_not_exists(pk) or n < ?)",
  "balances: put balance IF v = ?",
  "balances: get balance IF ConsistentRead",
  "control: put credit r IF attribute_not_exists(pk)",
  "control: put invoice r IF attribute_not_exists(pk)",
];

test.for(GUARDS)("a store that does not ask `%s` is found out", { timeout: 120_000 }, async (guard) => {
  const { found } = await findGuards([guard], { seedsMax: SEEDS_MAX });

  console.log(`${guard}: seed ${found?.seed}, ${found?.violation}`);
  expect(MONEY.map((each) => each.guard)).toContain(guard);
  expect(found).toBeDefined();
});

test("what stands beside a guard may cover it: it is found out when both are gone, and only then", { timeout: 120_000 }, async () => {
  const guard = "ledger: SET st='X' WHERE e, st IF e = ?";
  const { coveredBy = [] } = MONEY.find((each) => each.guard === guard) ?? {};

  const { found } = await findGuards([guard, ...coveredBy], { seedsMax: SEEDS_MAX, butNotBy: coveredBy });

  expect(coveredBy).toHaveLength(1);
  expect(found).toBeDefined();
});
