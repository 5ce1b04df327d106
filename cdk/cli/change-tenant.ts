import { type Command, InvalidArgumentError } from "commander";
import type { TenantRevision } from "../../shared/tenants/tenant.ts";
import type { CliContext } from "./context.ts";
import { IF_REVISION, type IfRevision } from "./if-revision.ts";
import { UsageError } from "./usage-error.ts";

type ChangeOptions = IfRevision & {
  readonly name?: string;
  readonly rate?: number;
  readonly burst?: number;
  readonly duplicateWindow?: number;
  readonly why?: string;
};

type Rendered = (tenants: readonly TenantRevision[]) => string;

/** What `limits set` and `tenants bill` leave: a tenant's name, its rate and its duplicate window. */
export function registerChangeCommand(tenants: Command, context: CliContext, render: Rendered) {
  tenants
    .command("change <id>")
    .description("change a tenant's name, rate or duplicate window; what is not named stays")
    .option("--name <name>", "what people call it")
    .option("--rate <requests>", "requests per second, in force everywhere within 30 s", parseRate)
    .option("--burst <requests>", "requests at once", parseCount)
    .option("--duplicate-window <seconds>", "take equal requests without an Idempotency-Key for one within it; 0: never", parseCount)
    .option(...IF_REVISION)
    .option("--why <reason>", "kept in the history")
    .action(async (id: string, options: ChangeOptions) => {
      const { name, rate, burst, duplicateWindow: duplicateWindowSeconds, ifRevision, why } = options;
      if ([name, rate, burst, duplicateWindowSeconds].every((each) => each === undefined)) throw new UsageError(NOTHING_SAID);
      const before = await context.admin().tenants.show(id);
      // A rate and its burst are one value to the API.
      const both = { requestsPerSecond: rate ?? before.rate.requestsPerSecond, burst: burst ?? before.rate.burst };
      const said = { name, rate: rate === undefined && burst === undefined ? undefined : both, duplicateWindowSeconds, why };
      const changes = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
      const changed = await context.admin().tenants.change(id, changes, ifRevision ?? before.revision.number);
      context.output.print(changed, (each) => render([each]));
    });
}

const NOTHING_SAID = "Say what to change: --name, --rate, --burst or --duplicate-window (`limits set` and `tenants bill` change the rest).";

function parseRate(text: string): number {
  if (!/^[0-9]+(\.[0-9]+)?$/.test(text)) throw new InvalidArgumentError("It must be a number.");
  return Number(text);
}

function parseCount(text: string): number {
  if (!/^[0-9]{1,10}$/.test(text)) throw new InvalidArgumentError("It must be a whole number.");
  return Number(text);
}
