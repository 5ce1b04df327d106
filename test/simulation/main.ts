import { simulate } from "./simulate.ts";

const HISTORIES_DEFAULT = 1_000;
const FIRST = 1;

// `npm run simulate [histories]`: what it prints is what the README shows.
const histories = Number(process.argv[2] ?? HISTORIES_DEFAULT);
if (!Number.isSafeInteger(histories) || histories < 1) {
  console.error("npm run simulate [histories]: how many histories to run, 1,000 unless said");
  process.exit(2);
}
const { counts, violations } = await simulate({ first: FIRST, count: histories });
for (const violation of violations) console.error(violation);
console.log(`seeds ${FIRST} to ${FIRST + histories - 1}`);
console.log(`| what | how many |\n|---|---|`);
for (const [name, count] of Object.entries({ histories, ...counts, violations: violations.length })) console.log(`| ${name} | ${count} |`);
if (violations.length > 0) process.exitCode = 1;
