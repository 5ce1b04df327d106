import { type Command, InvalidArgumentError } from "commander";
import { everyItem } from "../../shared/clients/http.ts";
import { type CreatedKey, type KeyRevision, Scope } from "../../shared/keys/key.ts";
import type { CliContext } from "./context.ts";
import { table } from "./output.ts";

type CreateOptions = { readonly tenant: string; readonly name: string; readonly scopes: Scope[]; readonly why?: string };

export function registerKeyCommands(program: Command, context: CliContext) {
  const keys = program.command("keys").description("who may do what for a tenant");
  keys
    .command("create")
    .description("make a key; its text is shown this once")
    .requiredOption("--tenant <id>", "whom the key speaks for")
    .option("--name <name>", "what the key is for", "unnamed")
    .option("--scopes <scopes>", `what it may do: ${Scope.options.join(", ")}`, parseScopes, ["infer", "usage"])
    .option("--why <reason>", "kept in the history")
    .action(async (options: CreateOptions) => {
      context.output.print(await context.admin().keys.create(options), renderCreated);
      context.output.note("Keep it now: it cannot be shown again.");
    });
  keys
    .command("list")
    .description("list a tenant's keys, revoked ones too")
    .requiredOption("--tenant <id>", "whose keys")
    .action(async ({ tenant }: { tenant: string }) => {
      const { list } = context.admin().keys;
      context.output.print(await everyItem((page) => list(tenant, page)), render);
    });
  keys
    .command("revoke <id>")
    .description("refuse a key from now on, everywhere within 30 s")
    .option("--why <reason>", "kept in the history")
    .action(async (id: string, { why }: { why?: string }) => {
      context.output.print(await context.admin().keys.revoke(id, why), (key) => render([key]));
    });
}

/** The key alone on its line, so that it can be copied or cut out. */
function renderCreated(created: CreatedKey): string {
  return `${render([created])}\n\n${created.key}`;
}

function render(keys: readonly KeyRevision[]): string {
  return table(
    ["ID", "TENANT", "NAME", "SCOPES", "STATE", "CHANGED"],
    keys.map(({ id, tenant, name, scopes, isRevoked, revision }) => [
      id,
      tenant,
      name,
      scopes.join(","),
      isRevoked ? "revoked" : "valid",
      revision.at,
    ]),
  );
}

function parseScopes(text: string): Scope[] {
  const scopes = Scope.array().safeParse(text.split(","));
  if (!scopes.success) throw new InvalidArgumentError(`Scopes are ${Scope.options.join(", ")}, with commas between.`);
  return scopes.data;
}
