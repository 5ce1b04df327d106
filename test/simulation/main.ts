import { MONEY } from "./guard-list.ts";
import { type Searched, searchGuard } from "./search-guard.ts";
import { simulate } from "./simulate.ts";

const HISTORIES_DEFAULT = 1_000;
const FIRST = 1;
const GUARD_SECONDS_DEFAULT = 60;

// `npm run simulate [histories]` and `npm run simulate -- guards [CPU seconds for each] [part of a name]`: what it prints is what the README shows.
const [what = String(HISTORIES_DEFAULT), ...rest] = process.argv.slice(2);
if (what === "guards") await printGuards(Number(rest[0] ?? GUARD_SECONDS_DEFAULT), rest[1] ?? "");
else await printHistories(Number(what));

async function printHistories(histories: number) {
  if (!Number.isSafeInteger(histories) || histories < 0) return explain();
  const { counts, violations } = await simulate({ first: FIRST, count: histories });
  for (const violation of violations) console.error(violation);
  console.log(`seeds ${FIRST} to ${FIRST + histories - 1}\n\n| what | how many |\n|---|---|`);
  for (const [name, count] of Object.entries({ histories, ...counts, violations: violations.length }))
    console.log(`| ${name} | ${count} |`);
  if (violations.length > 0) process.exitCode = 1;
}

async function printGuards(cpuSeconds: number, part: string) {
  if (!(cpuSeconds > 0)) return explain();
  console.log("| what a store does not ask | its name | outcome |\n|---|---|---|");
  for (const listed of MONEY.filter(({ guard }) => guard.includes(part))) {
    console.log(`| ${listed.what} | \`${listed.guard}\` | ${told(await searchGuard(listed, cpuSeconds))} |`);
  }
}

function told({ kind, tried, passedOver, ...searched }: Searched): string {
  const not = `not in ${tried}, where it would have refused ${passedOver} writes`;
  switch (kind) {
    case "found":
      return `seed ${searched.seed}: ${short(searched.violation)}`;
    case "covered":
      return `${not}; covered by \`${searched.by}\`: both gone, seed ${searched.seed}: ${short(searched.violation)}`;
    case "unreachable":
      return `${not}; nothing can come of it`;
    case "not found":
      return not;
  }
}

function short(violation: string | undefined): string {
  return (violation ?? "").replaceAll("|", "/").slice(0, 140);
}

function explain() {
  console.error("npm run simulate [histories], 1,000 unless said; or npm run simulate -- guards [CPU seconds for each] [part of a name]");
  process.exitCode = 2;
}
