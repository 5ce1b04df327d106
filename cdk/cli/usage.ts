import type { Command } from "commander";
import { everyItem } from "../../shared/clients/http.ts";
import type { UsageReport } from "../../shared/usage/report.ts";
import type { CliContext } from "./context.ts";
import { table } from "./output.ts";

type UsageOptions = { readonly from?: string; readonly to?: string; readonly tenant?: string };

export function registerUsageCommand(program: Command, context: CliContext) {
  program
    .command("usage")
    .description("add up metered requests by hour, model, version and arm (default: the last hour)")
    .option("--from <time>", "a date or a time, such as 2026-11-23T19:00:00Z")
    .option("--to <time>", "until before this time; at most 24 hours after --from")
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

function render({ tenant, from, to, total, items }: UsageReport): string {
  const rows = items.map((sum) => [sum.hour, `${sum.model}@${sum.version}`, sum.arm, ...countsOf(sum)]);
  const head = ["HOUR", "VERSION", "ARM", "REQUESTS", "INPUTS", "TOKENS IN", "TOKENS OUT", "COMPUTE MS"];
  return `${tenant} from ${from} to ${to}\n\n${table(head, [...rows, ["total", "", "", ...countsOf(total)]])}`;
}

function countsOf({ requests, inputs, inputTokens, outputTokens, computeMs }: UsageReport["total"]): number[] {
  return [requests, inputs, inputTokens, outputTokens, computeMs];
}
