import { Command, CommanderError } from "commander";
import packageJson from "../../package.json" with { type: "json" };
import { Failure } from "../../shared/base/failure.ts";
import { AnsweredFailure } from "../../shared/clients/answered-failure.ts";
import { registerAuditCommand } from "./audit.ts";
import { registerBalanceCommands } from "./balance.ts";
import { readSettings, type SettingFlags } from "./config.ts";
import { createContext } from "./context.ts";
import { registerInferCommand } from "./infer.ts";
import { registerInvoiceCommands } from "./invoices.ts";
import { registerKeyCommands } from "./keys.ts";
import { registerLimitCommands } from "./limits.ts";
import { registerModelCommands } from "./models.ts";
import { createOutput, printable, type Streams } from "./output.ts";
import { registerPeopleCommands } from "./people.ts";
import { registerPriceCommands } from "./prices.ts";
import { registerReceiptCommands } from "./receipts.ts";
import { registerSellerCommands } from "./seller.ts";
import { registerSplitCommands } from "./split.ts";
import { registerStatusCommand } from "./status.ts";
import { registerTenantCommands } from "./tenants.ts";
import { registerUsageCommand } from "./usage.ts";
import { UsageError } from "./usage-error.ts";
import { registerWebhookCommands } from "./webhooks.ts";

const EXIT = { done: 0, refused: 1, usage: 2 } as const;

export type Run = Streams & {
  /** The words after `weir`. */
  readonly words: readonly string[];
  /** Absent, the process's own. */
  readonly environment?: NodeJS.ProcessEnv;
};

/** Runs one command and says how it ended: 0 done, 1 refused, 2 not understood. */
export async function runCli(run: Run): Promise<number> {
  try {
    await createProgram(run).parseAsync(run.words, { from: "user" });
    return EXIT.done;
  } catch (error) {
    // Commander has said what is wrong, or shown the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    run.stderr(`weir: ${printable(lineOf(error))}\n`);
    return error instanceof UsageError ? EXIT.usage : EXIT.refused;
  }
}

function createProgram(run: Run): Command {
  const program = new Command("weir")
    .description("Operates a Weir gateway: tenants, keys, models, splits, usage.")
    .version(packageJson.version)
    .option("--json", "print JSON, for machines")
    .option("--url <url>", "the gateway (else WEIR_URL, else .weir/operator.json)")
    .option("--key <key>", "the API key (else WEIR_KEY, else .weir/operator.json)")
    .addHelpText("after", "\nExit codes: 0 done, 1 refused, 2 not understood.")
    .configureOutput({ writeOut: run.stdout, writeErr: run.stderr })
    .exitOverride();
  const flags = () => program.opts<SettingFlags & { json?: true }>();
  const output = createOutput(run, () => flags().json === true);
  const context = createContext(() => readSettings(flags(), run.environment), output);
  registerStatusCommand(program, context);
  registerTenantCommands(program, context);
  registerKeyCommands(program, context);
  registerLimitCommands(program, context);
  registerPeopleCommands(program, context);
  registerAuditCommand(program, context);
  registerReceiptCommands(program, context);
  registerModelCommands(program, context);
  registerSplitCommands(program, context);
  registerPriceCommands(program, context);
  registerInferCommand(program, context);
  registerUsageCommand(program, context);
  registerBalanceCommands(program, context);
  registerInvoiceCommands(program, context);
  registerSellerCommands(program, context);
  registerWebhookCommands(program, context);
  return program;
}

/** One line: what was refused, which field, and the id that finds it in the gateway's log. */
function lineOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const details = [
    error instanceof Failure && error.field !== undefined ? `field ${error.field}` : undefined,
    error instanceof AnsweredFailure && error.requestId !== undefined ? `request ${error.requestId}` : undefined,
  ].filter((detail) => detail !== undefined);
  return details.length === 0 ? error.message : `${error.message} (${details.join(", ")})`;
}
