import { type Command, InvalidArgumentError } from "commander";
import { everyItem } from "../../shared/clients/http.ts";
import { RATE_DEFAULT, type TenantRevision } from "../../shared/tenants/tenant.ts";
import type { CliContext } from "./context.ts";
import { table } from "./output.ts";

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
    .description("show a tenant")
    .action(async (id: string) => {
      context.output.print(await context.admin().tenants.show(id), (each) => render([each]));
    });
  tenants
    .command("close <id>")
    .description("refuse a tenant's keys from now on")
    .option("--why <reason>", "kept in the history")
    .action(async (id: string, { why }: { why?: string }) => {
      context.output.print(await context.admin().tenants.close(id, why), (each) => render([each]));
    });
}

function render(tenants: readonly TenantRevision[]): string {
  return table(
    ["ID", "NAME", "STATE", "REQUESTS/S", "BURST", "CHANGED"],
    tenants.map(({ id, name, isClosed, rate, revision }) => [
      id,
      name,
      isClosed ? "closed" : "open",
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
