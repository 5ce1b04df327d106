import { type Command, InvalidArgumentError } from "commander";
import type { TenantLimits } from "../../shared/limits/policy.ts";
import type { LimitsReport } from "../../shared/limits/report.ts";
import type { CliContext } from "./context.ts";
import { table } from "./output.ts";
import { UsageError } from "./usage-error.ts";

type SetOptions = {
  readonly perDay?: number;
  readonly tokens?: number;
  readonly concurrent?: number;
  readonly none?: true;
  readonly why?: string;
};

export function registerLimitCommands(program: Command, context: CliContext) {
  const limits = program.command("limits").description("what tenants and keys are held to");
  limits
    .command("show")
    .description("show the policies of the key that is used and of its tenant, and what is left of each")
    .action(async () => {
      context.output.print(await context.tenant().limits(), render);
    });
  limits
    .command("set <tenant>")
    .description("replace a tenant's limits besides its rate; what is not named is not limited")
    .option("--per-day <requests>", "requests per day of UTC", parseCount)
    .option("--tokens <tokens>", "tokens per minute, in and out", parseCount)
    .option("--concurrent <requests>", "requests at the same time", parseCount)
    .option("--none", "take all of them away")
    .option("--why <reason>", "kept in the history")
    .action(async (tenant: string, options: SetOptions) => {
      const changed = await context.admin().tenants.change(tenant, { limits: limitsOf(options), ...whyOf(options) });
      context.output.print(changed, ({ id, limits: set = {} }) => renderSet(id, set));
    });
}

/** Nothing named is a slip of the hand as a rule, so that has to be said. */
function limitsOf({ perDay, tokens, concurrent, none }: SetOptions): TenantLimits {
  const limits = {
    ...(perDay === undefined ? {} : { requestsPerDay: perDay }),
    ...(tokens === undefined ? {} : { tokensPerMinute: tokens }),
    ...(concurrent === undefined ? {} : { concurrentRequests: concurrent }),
  };
  if ((Object.keys(limits).length === 0) === (none === true)) return limits;
  throw new UsageError("Name limits with --per-day, --tokens or --concurrent, or say --none.");
}

function whyOf({ why }: SetOptions) {
  return why === undefined ? {} : { why };
}

function render({ items }: LimitsReport): string {
  return table(
    ["POLICY", "UNIT", "QUOTA", "WINDOW S", "LEFT", "WHOLE IN S"],
    items.map(({ name, unit, quota, windowSeconds, remaining, wholeInSeconds }) => [
      name,
      unit,
      quota,
      windowSeconds ?? "",
      remaining,
      wholeInSeconds ?? "",
    ]),
  );
}

function renderSet(id: string, { requestsPerDay, tokensPerMinute, concurrentRequests }: TenantLimits): string {
  return table(
    ["TENANT", "REQUESTS/DAY", "TOKENS/MIN", "CONCURRENT"],
    [[id, requestsPerDay ?? "", tokensPerMinute ?? "", concurrentRequests ?? ""]],
  );
}

function parseCount(text: string): number {
  if (!/^[1-9][0-9]{0,9}$/.test(text)) throw new InvalidArgumentError("It must be a whole number from 1.");
  return Number(text);
}
