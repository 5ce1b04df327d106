import { expect, test } from "vitest";
import { findGuard } from "./simulate.ts";

const SEEDS_MAX = 25;

/** Those that a few histories find; `npm run simulate` looks for all. */
const GUARDS = [
  "ledger: put m st='P' IF attribute_not_exists(pk)",
  "ledger: SET pg=? IF st = 'P'",
  "idempotency: put IF attribute_not_exists(pk)",
  "seals: SET r1.*=? IF attribute_not_exists(r1.*)",
];

test.for(GUARDS)("a store that does not ask `%s` is found out", { timeout: 120_000 }, async (guard) => {
  const found = await findGuard(guard, SEEDS_MAX);

  console.log(`${guard}: seed ${found?.seed}, ${found?.violation}`);
  expect(found).toBeDefined();
});
