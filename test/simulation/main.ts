import { findGuard, simulate } from "./simulate.ts";

const HISTORIES_DEFAULT = 1_000;
const FIRST = 1;
const GUARD_SEEDS_DEFAULT = 60;
/** Limits decide who is admitted, and the control plane who may ask: neither decides about money. */
const MONEY = /^(ledger|idempotency|seals|balances): /;

// `npm run simulate [histories] [seeds per guard]`: what it prints is what the README shows.
const [histories = HISTORIES_DEFAULT, guardSeeds = GUARD_SEEDS_DEFAULT] = process.argv.slice(2).map(Number);
if (![histories, guardSeeds].every((each) => Number.isSafeInteger(each) && each >= 0)) {
  console.error("npm run simulate [histories] [seeds per guard]: 1,000 and 60 unless said");
  process.exit(2);
}
const { counts, violations, guards } = await simulate({ first: FIRST, count: histories });
for (const violation of violations) console.error(violation);
console.log(`seeds ${FIRST} to ${FIRST + histories - 1}\n\n| what | how many |\n|---|---|`);
for (const [name, count] of Object.entries({ histories, ...counts, violations: violations.length })) console.log(`| ${name} | ${count} |`);
if (violations.length > 0) process.exitCode = 1;

console.log("\n| guard | found by seed | what is then broken |\n|---|---|---|");
for (const guard of [...guards].filter((each) => MONEY.test(each)).sort()) {
  const found = await findGuard(guard, guardSeeds);
  const [seed, violation] =
    found === undefined ? [`not in ${guardSeeds}`, ""] : [found.seed, found.violation.replaceAll("|", "/").slice(0, 160)];
  console.log(`| \`${guard}\` | ${seed} | ${violation} |`);
}
