import type { Command } from "commander";
import { everyItem } from "../../shared/clients/http.ts";
import type { UsageReport } from "../../shared/usage/totals/report.ts";
import type { CliContext } from "./context.ts";
import { table } from "./output.ts";

const OPEN_HOURS_SHOWN = 3;

type UsageOptions = { readonly from?: string; readonly to?: string; readonly tenant?: string };

export function registerUsageCommand(program: Command, context: CliContext) {
  program
    .command("usage")
    .description("add up metered requests by hour, model, version and arm (default: the last hour)")
    .option("--from <time>", "a date or a time, such as 2026-11-23T19:00:00Z")
    .option("--to <time>", "until before this time; at most 31 days after --from")
    .option("--tenant <id>", "for operators: whose usage")
    .action(async (options: UsageOptions) => {
      context.output.print(await readReport(context, options), render);
    });
}

async function readReport(context: CliContext, options: UsageOptions): Promise<UsageReport> {
  const tenant = context.tenant();
  const first = await tenant.usage(options);
  // The pages after the first are of its range: "the last hour" moves on meanwhile.
  const range = { ...options, from: first.from, to: first.to };
  const items = await everyItem(async (page) => (page.cursor === undefined ? first : tenant.usage({ ...range, ...page })));
  const { nextCursor: _, ...report } = first;
  return { ...report, items };
}

function render(report: UsageReport): string {
  const { tenant, from, to, total, items } = report;
  const rows = items.map((sum) => [sum.hour, `${sum.model}@${sum.version}`, sum.arm, ...countsOf(sum)]);
  const head = ["HOUR", "VERSION", "ARM", "REQUESTS", "INPUTS", "TOKENS IN", "TOKENS OUT", "COMPUTE MS"];
  const figures = table(head, [...rows, ["total", "", "", ...countsOf(total)]]);
  return `${tenant} from ${from} to ${to}\n${completenessOf(report)}\n\n${figures}`;
}

/** Missing data is said, so that nobody takes it for zero. */
function completenessOf({ completeTo, sealed, of, openHours, to }: UsageReport): string {
  if (sealed === of) return `complete: all ${of} minutes × shards are sealed`;
  const open = openHours.slice(-OPEN_HOURS_SHOWN).map((hour) => `${hour.hour} sealed ${hour.sealed} of ${hour.of}`);
  const before = openHours.length - OPEN_HOURS_SHOWN;
  const more = before > 0 ? `${before} ${before === 1 ? "hour" : "hours"} before; ` : "";
  return `complete to ${completeTo === to ? "the end" : completeTo}; sealed ${sealed} of ${of}; open: ${more}${open.join(", ")}`;
}

function countsOf({ requests, inputs, inputTokens, outputTokens, computeMs }: UsageReport["total"]): number[] {
  return [requests, inputs, inputTokens, outputTokens, computeMs];
}
