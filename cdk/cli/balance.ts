import { type Command, InvalidArgumentError } from "commander";
import type { BalanceReport, CreditRevision } from "../../shared/billing/balances/credit.ts";
import { everyItem } from "../../shared/clients/http.ts";
import type { CliContext } from "./context.ts";
import { table } from "./output.ts";

type GrantOptions = { readonly id: string; readonly expires?: string; readonly priority?: number; readonly why: string };

export function registerBalanceCommands(program: Command, context: CliContext) {
  const balance = program.command("balance").description("prepaid balances");
  balance
    .command("show [tenant]")
    .description("show a balance with its grants and leases (default: the key's own tenant)")
    .action(async (tenant: string | undefined) => {
      const report = tenant === undefined ? await context.tenant().balance() : await context.admin().balances.show(tenant);
      context.output.print(report, render);
    });
  balance
    .command("grant <tenant> <amount>")
    .description("give credits")
    .requiredOption("--id <id>", "of your choice, such as a payment's number: the same id again changes nothing")
    .requiredOption("--why <reason>", "kept in the history")
    .option("--expires <time>", "when what is left of them is gone, such as 2027-01-01T00:00:00Z")
    .option("--priority <number>", "0 is used first, 100 last (default: 50)", parseWhole)
    .action(async (tenant: string, amount: string, { expires, ...options }: GrantOptions) => {
      const body = { amount, ...options, ...(expires === undefined ? {} : { expiresAt: expires }) };
      context.output.print(await context.admin().balances.grant(tenant, body), (credit) => renderCredits([credit]));
    });
  balance
    .command("adjust <tenant> <amount>")
    .description("correct a balance by hand; after `--` the amount may be negative")
    .requiredOption("--id <id>", "of your choice: the same id again changes nothing")
    .requiredOption("--why <reason>", "kept in the history")
    .action(async (tenant: string, amount: string, options: { id: string; why: string }) => {
      context.output.print(await context.admin().balances.adjust(tenant, { amount, ...options }), (credit) => renderCredits([credit]));
    });
  balance
    .command("credits <tenant>")
    .description("list what was ever given or taken away, by whom and why")
    .action(async (tenant: string) => {
      context.output.print(await everyItem((page) => context.admin().balances.credits(tenant, page)), renderCredits);
    });
}

function render({ tenant, currency, balance, leased, debt, grants, isPrepaid }: BalanceReport): string {
  const head = `${tenant} has ${balance} ${currency ?? ""}`.trimEnd();
  const notes = [` and ${leased} in leases`, debt === "0" ? "" : `, owing ${debt}`, isPrepaid ? "" : "; it is not prepaid"].join("");
  const rows = grants.map((grant) => [grant.id, grant.left, grant.amount, grant.priority, grant.grantedAt, grant.expiresAt ?? "never"]);
  return `${head}${notes}\n\n${table(["GRANT", "LEFT", "OF", "PRIORITY", "GRANTED", "EXPIRES"], rows)}`;
}

function renderCredits(credits: readonly CreditRevision[]): string {
  return table(
    ["ID", "KIND", "AMOUNT", "STATE", "BY", "WHEN", "WHY"],
    credits.map(({ id, kind, amount, state, revision }) => [id, kind, amount, state, revision.by, revision.at, revision.why]),
  );
}

function parseWhole(text: string): number {
  if (!/^\d{1,3}$/.test(text)) throw new InvalidArgumentError("It must be a whole number.");
  return Number(text);
}
