import { type Command, InvalidArgumentError } from "commander";
import { everyItem } from "../../shared/clients/http.ts";
import type { PersonRevision } from "../../shared/people/person.ts";
import { Role } from "../../shared/people/rights.ts";
import type { CliContext } from "./context.ts";
import { table } from "./output.ts";

type CreateOptions = { readonly name?: string; readonly role: Role; readonly why?: string };
type ChangeOptions = { readonly name?: string; readonly role?: Role; readonly why?: string };

export function registerPeopleCommands(program: Command, context: CliContext) {
  const people = program.command("people").description("who operates Weir, and what they may do");
  const change = async (id: string, body: ChangeOptions & { readonly isActive?: boolean }) =>
    context.output.print(await context.admin().people.change(id, body), (each) => render([each]));
  people
    .command("create <id>")
    .description("make a person; `keys create --tenant operators --person <id>` makes a key of theirs")
    .requiredOption("--role <role>", Role.options.join(", "), parseRole)
    .option("--name <name>", "what people call them (default: the id)")
    .option("--why <reason>", "kept in the history")
    .action(async (id: string, { name = id, ...rest }: CreateOptions) => {
      context.output.print(await context.admin().people.create({ id, name, ...rest }), (each) => render([each]));
    });
  people
    .command("list")
    .description("list all people")
    .action(async () => context.output.print(await everyItem(context.admin().people.list), render));
  people
    .command("change <id>")
    .description("change a person's name or role, in force everywhere within 30 s")
    .option("--role <role>", Role.options.join(", "), parseRole)
    .option("--name <name>", "what people call them")
    .option("--why <reason>", "kept in the history")
    .action(change);
  people
    .command("erase <id>")
    .description("end a person and erase the name, in every revision; the id stays in the trail of changes")
    .option("--why <reason>", "kept in the history")
    .action(async (id: string, { why }: ChangeOptions) => {
      context.output.print(await context.admin().people.erase(id, why), (each) => render([each]));
    });
  for (const [verb, isActive] of [
    ["deactivate", false],
    ["activate", true],
  ] as const) {
    people
      .command(`${verb} <id>`)
      .description(isActive ? "let a person's keys work again" : "refuse a person's keys, everywhere within 30 s")
      .option("--why <reason>", "kept in the history")
      .action(async (id: string, { why }: ChangeOptions) => change(id, { isActive, ...(why === undefined ? {} : { why }) }));
  }
}

function render(people: readonly PersonRevision[]): string {
  return table(
    ["ID", "NAME", "ROLE", "STATE", "CHANGED"],
    people.map((person) => [person.id, person.name, person.role, stateOf(person), person.revision.at]),
  );
}

function stateOf({ isActive, erasure }: PersonRevision): string {
  if (erasure !== undefined) return erasure.finishedAt === undefined ? "being erased" : "erased";
  return isActive ? "active" : "inactive";
}

function parseRole(text: string): Role {
  const role = Role.safeParse(text);
  if (!role.success) throw new InvalidArgumentError(`Roles are ${Role.options.join(", ")}.`);
  return role.data;
}
