import { type Command, InvalidArgumentError } from "commander";
import type { KeyLimits } from "../../shared/limits/policy.ts";
import type { LimitsReport } from "../../shared/limits/report.ts";
import type { CliContext } from "./context.ts";
import { IF_REVISION, type IfRevision } from "./if-revision.ts";
import { table } from "./output.ts";
import { UsageError } from "./usage-error.ts";

type SetOptions = IfRevision & {
  readonly rate?: number;
  readonly burst?: number;
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
    .command("set-key <id>")
    .description("replace a key's own limits, which count beside its tenant's; what is not named is not limited")
    .option("--rate <requests>", "requests per second", parseRate)
    .option("--burst <requests>", "requests at once (default: a second's worth)", parseCount)
    .option("--per-day <requests>", "requests per day of UTC", parseCount)
    .option("--tokens <tokens>", "tokens per minute, in and out", parseCount)
    .option("--concurrent <requests>", "requests at the same time", parseCount)
    .option("--none", "take all of them away")
    .option(...IF_REVISION)
    .option("--why <reason>", "kept in the history")
    .action(async (key: string, options: SetOptions) => {
      const changed = await context.admin().keys.change(key, { limits: limitsOf(options), ...whyOf(options) }, options.ifRevision);
      context.output.print(changed, ({ id, limits: set = {} }) => renderSet("KEY", id, set));
    });
  limits
    .command("set <tenant>")
    .description("replace a tenant's limits besides its rate, which `tenants change` says; what is not named is not limited")
    .option("--per-day <requests>", "requests per day of UTC", parseCount)
    .option("--tokens <tokens>", "tokens per minute, in and out", parseCount)
    .option("--concurrent <requests>", "requests at the same time", parseCount)
    .option("--none", "take all of them away")
    .option(...IF_REVISION)
    .option("--why <reason>", "kept in the history")
    .action(async (tenant: string, options: SetOptions) => {
      const change = { limits: limitsOf(options), ...whyOf(options) };
      const changed = await context.admin().tenants.change(tenant, change, options.ifRevision);
      context.output.print(changed, ({ id, limits: set = {} }) => renderSet("TENANT", id, set));
    });
}

/** Nothing named is a slip of the hand as a rule, so that has to be said. */
function limitsOf({ rate, burst, perDay, tokens, concurrent, none }: SetOptions): KeyLimits {
  if (burst !== undefined && rate === undefined) throw new UsageError("--burst needs --rate.");
  const limits = {
    ...(rate === undefined ? {} : { rate: { requestsPerSecond: rate, burst: burst ?? Math.ceil(rate) } }),
    ...(perDay === undefined ? {} : { requestsPerDay: perDay }),
    ...(tokens === undefined ? {} : { tokensPerMinute: tokens }),
    ...(concurrent === undefined ? {} : { concurrentRequests: concurrent }),
  };
  if ((Object.keys(limits).length === 0) === (none === true)) return limits;
  throw new UsageError("Name limits with --per-day, --tokens or --concurrent (and --rate for a key), or say --none.");
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

function renderSet(what: string, id: string, { rate, requestsPerDay, tokensPerMinute, concurrentRequests }: KeyLimits): string {
  const own = [rate === undefined ? "" : `${rate.requestsPerSecond} (${rate.burst})`, requestsPerDay, tokensPerMinute, concurrentRequests];
  return table([what, "REQUESTS/S (BURST)", "REQUESTS/DAY", "TOKENS/MIN", "CONCURRENT"], [[id, ...own.map((each) => each ?? "")]]);
}

function parseRate(text: string): number {
  if (!/^[0-9]+(\.[0-9]+)?$/.test(text)) throw new InvalidArgumentError("It must be a number.");
  return Number(text);
}

function parseCount(text: string): number {
  if (!/^[1-9][0-9]{0,9}$/.test(text)) throw new InvalidArgumentError("It must be a whole number from 1.");
  return Number(text);
}
