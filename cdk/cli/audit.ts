import { type Command, InvalidArgumentError } from "commander";
import type { AuditEntry } from "../../shared/audit/audit.ts";
import type { CliContext } from "./context.ts";
import { table } from "./output.ts";

type AuditOptions = { readonly actor?: string; readonly from?: string; readonly to?: string; readonly limit: number; readonly diff?: true };

const LINES_DEFAULT = 50;
const PAGES_MAX = 100;

export function registerAuditCommand(program: Command, context: CliContext) {
  program
    .command("audit [noun] [id]")
    .description("list who changed what, when and why, newest first (default: the last 30 days of everything)")
    .option("--actor <who>", "made by this person, key (its id) or part of Weir")
    .option("--from <time>", "a date or a time, such as 2026-11-23T19:00:00Z")
    .option("--to <time>", "until before this time")
    .option("--limit <changes>", "how many at most", parseCount, LINES_DEFAULT)
    .option("--diff", "show what was before and after")
    .action(async (noun: string | undefined, id: string | undefined, { diff, limit, ...range }: AuditOptions) => {
      const query = { ...range, ...(noun === undefined ? {} : { noun }), ...(id === undefined ? {} : { id }) };
      context.output.print(await readTrail(context, query, limit), (entries) => render(entries, diff === true));
    });
}

/** Page by page: one may be short although there are more. */
async function readTrail(context: CliContext, query: Record<string, string>, limit: number): Promise<AuditEntry[]> {
  const entries: AuditEntry[] = [];
  let cursor: string | undefined;
  for (let pages = 0; pages < PAGES_MAX && entries.length < limit; pages += 1) {
    const page = await context
      .admin()
      .audit({ ...query, limit: Math.min(100, limit - entries.length), ...(cursor === undefined ? {} : { cursor }) });
    entries.push(...page.items);
    cursor = page.nextCursor;
    if (cursor === undefined) break;
  }
  return entries;
}

function render(entries: readonly AuditEntry[], isDiff: boolean): string {
  if (!isDiff) {
    const rows = entries.map(({ at, noun, id, revision, by, person, why }) => [at, `${noun} ${id}`, revision, person ?? by, why]);
    return table(["AT", "WHAT", "REVISION", "WHO", "WHY"], rows);
  }
  return entries.map(renderChange).join("\n\n");
}

function renderChange({ at, noun, id, revision, by, person, why, before, after }: AuditEntry): string {
  const head = [at, `${noun} ${id}`, `revision ${revision}`, person === undefined ? by : `${person} (${by})`, why].filter(
    (part) => part !== "",
  );
  const fields = changedFields(before, after).map(([name, was, is]) => [name, textOf(was), textOf(is)]);
  return `${table(["", ""], [[head.join("  "), ""]]).trim()}\n${table(["FIELD", "BEFORE", "AFTER"], fields)}`;
}

function changedFields(before: unknown, after: unknown): [string, unknown, unknown][] {
  const [was, is] = [recordOf(before), recordOf(after)];
  const names = [...new Set([...Object.keys(was), ...Object.keys(is)])];
  return names
    .map((name): [string, unknown, unknown] => [name, was[name], is[name]])
    .filter(([, a, b]) => JSON.stringify(a) !== JSON.stringify(b));
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}

function textOf(value: unknown): string {
  if (value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

function parseCount(text: string): number {
  if (!/^[1-9][0-9]{0,4}$/.test(text)) throw new InvalidArgumentError("It must be a whole number.");
  return Number(text);
}
