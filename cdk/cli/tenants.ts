import { type Command, InvalidArgumentError } from "commander";
import { everyItem } from "../../shared/clients/http.ts";
import type { DeletionRevision } from "../../shared/tenants/deletion.ts";
import { RATE_DEFAULT, type TenantRevision } from "../../shared/tenants/tenant.ts";
import { registerBillCommand, renderBilling } from "./billing.ts";
import { registerChangeCommand } from "./change-tenant.ts";
import type { CliContext } from "./context.ts";
import { table } from "./output.ts";
import { UsageError } from "./usage-error.ts";

type CreateOptions = { readonly name?: string; readonly rate: number; readonly burst: number; readonly why?: string };

export function registerTenantCommands(program: Command, context: CliContext) {
  const tenants = program.command("tenants").description("who calls and who pays");
  tenants
    .command("create <id>")
    .description("make a tenant")
    .option("--name <name>", "what people call it (default: its id)")
    .option("--rate <requests>", "requests per second", parseNumber, RATE_DEFAULT.requestsPerSecond)
    .option("--burst <requests>", "requests at once", parseNumber, RATE_DEFAULT.burst)
    .option("--why <reason>", "kept in the history")
    .action(async (id: string, { rate, burst, ...rest }: CreateOptions) => {
      const tenant = await context.admin().tenants.create({ id, rate: { requestsPerSecond: rate, burst }, ...rest });
      context.output.print(tenant, (each) => render([each]));
    });
  tenants
    .command("list")
    .description("list all tenants")
    .action(async () => {
      context.output.print(await everyItem(context.admin().tenants.list), render);
    });
  tenants
    .command("show <id>")
    .description("show a tenant, and how it is billed")
    .action(async (id: string) => {
      context.output.print(await context.admin().tenants.show(id), (each) => `${render([each])}\n\n${renderBilling(each)}`);
    });
  registerChangeCommand(tenants, context, render);
  registerBillCommand(tenants, context);
  tenants
    .command("close <id>")
    .description("refuse a tenant's keys from now on")
    .option("--why <reason>", "kept in the history")
    .action(async (id: string, { why }: { why?: string }) => {
      context.output.print(await context.admin().tenants.close(id, why), (each) => render([each]));
    });
  tenants
    .command("delete <id>")
    .description("close a tenant at once, and have erased whatever a person could be known by")
    .option("--yes", "it cannot be undone: say that you mean it")
    .option("--why <reason>", "kept in the history")
    .action(async (id: string, { yes, why }: { yes?: true; why?: string }) => {
      if (yes !== true) throw new UsageError(`What is erased of '${id}' does not come back, nor does '${id}'. If you mean it, add --yes.`);
      context.output.print(await context.admin().tenants.delete(id, why), renderDeletion);
    });
  tenants
    .command("deletion <id>")
    .description("report how far a tenant's deletion is, what is kept and until when")
    .action(async (id: string) => {
      context.output.print(await context.admin().tenants.deletion(id), renderDeletion);
    });
}

function renderDeletion({ tenant, state, waitingFor, requestedAt, places, verified }: DeletionRevision): string {
  const proof = verified === undefined ? "" : `\nlooked for again at ${verified.at}: ${verified.remaining} found`;
  const wait = waitingFor === undefined ? "" : `, waits for ${waitingFor}`;
  const rows = places.map(({ store, items, erased, erasedAt, kept }) => [
    store,
    items,
    erased ?? "",
    erasedAt ?? "",
    kept?.what ?? "",
    kept?.until ?? "",
  ]);
  const reasons = places.flatMap(({ store, items, holds, kept }) => [[store, items, holds, kept?.why ?? ""]]);
  return [
    `${tenant}: ${state}${wait} (asked for at ${requestedAt})${proof}`,
    table(["STORE", "ITEMS", "ERASED", "AT", "KEPT", "UNTIL"], rows),
    table(["STORE", "ITEMS", "HOLDS", "KEPT BECAUSE"], reasons),
  ].join("\n\n");
}

function render(tenants: readonly TenantRevision[]): string {
  return table(
    ["ID", "NAME", "STATE", "PRICES", "REQUESTS/S", "BURST", "CHANGED"],
    tenants.map(({ id, name, isClosed, billing, rate, revision }) => [
      id,
      name,
      isClosed ? "closed" : "open",
      billing?.priceBook ?? "-",
      rate.requestsPerSecond,
      rate.burst,
      revision.at,
    ]),
  );
}

function parseNumber(text: string): number {
  if (!/^[0-9]+(\.[0-9]+)?$/.test(text)) throw new InvalidArgumentError("It must be a number.");
  return Number(text);
}
