import { type Command, InvalidArgumentError, Option } from "commander";
import { everyItem } from "../../shared/clients/http.ts";
import { Scope } from "../../shared/keys/key.ts";
import type { CreatedKey, KeyRevision, NewOwnKey } from "../../shared/keys/key-requests.ts";
import type { CliContext } from "./context.ts";
import { table } from "./output.ts";
import { UsageError } from "./usage-error.ts";

type Whose = { readonly tenant?: string; readonly own?: true };
type CreateOptions = Whose & {
  readonly name: string;
  readonly scopes?: Scope[];
  readonly person?: string;
  readonly models?: string[];
  readonly cidrs?: string[];
  readonly expires?: string;
  readonly receipts?: true;
  readonly why?: string;
};
type RotateOptions = Whose & { readonly overlap?: number; readonly why?: string };

const SCOPES_DEFAULT: Scope[] = ["infer", "usage"];
const OWN = "of the tenant whose key is used; needs its scope `keys`";

export function registerKeyCommands(program: Command, context: CliContext) {
  const keys = program.command("keys").description("who may do what for a tenant");
  registerCreate(keys, context);
  keys
    .command("list")
    .description("list a tenant's keys, revoked ones too")
    .option("--tenant <id>", "whose keys")
    .option("--own", OWN)
    .action(async (whose: Whose) => {
      const tenant = tenantOf(whose);
      const { list } = context.admin().keys;
      const items = tenant === undefined ? everyItem(context.tenant().keys.list) : everyItem((page) => list(tenant, page));
      context.output.print(await items, render);
    });
  keys
    .command("rotate <id>")
    .description("give a key a new secret, shown this once; the one so far stays good for a while")
    .option("--own", OWN)
    .option("--overlap <seconds>", "how long the secret so far stays good (default: a day)", parseSeconds)
    .option("--why <reason>", "kept in the history")
    .action(async (id: string, { own, overlap, why }: RotateOptions) => {
      const { rotate } = own === true ? context.tenant().keys : context.admin().keys;
      const rotation = { ...(overlap === undefined ? {} : { overlapSeconds: overlap }), ...(why === undefined ? {} : { why }) };
      printCreated(context, await rotate(id, rotation));
    });
  keys
    .command("revoke <id>")
    .description("refuse a key from now on, everywhere within 30 s")
    .option("--own", OWN)
    .option("--why <reason>", "kept in the history")
    .action(async (id: string, { own, why }: Whose & { why?: string }) => {
      const { revoke } = own === true ? context.tenant().keys : context.admin().keys;
      context.output.print(await revoke(id, why), (key) => render([key]));
    });
}

function registerCreate(keys: Command, context: CliContext) {
  keys
    .command("create")
    .description("make a key; its text is shown this once")
    .option("--tenant <id>", "whom the key speaks for")
    .option("--own", OWN)
    .option("--name <name>", "what the key is for", "unnamed")
    .option("--scopes <scopes>", `what it may do: ${Scope.options.join(", ")} (default: ${SCOPES_DEFAULT})`, parseScopes)
    .addOption(new Option("--person <id>", "whose key of the operators it is: the role says what it may do").conflicts("scopes"))
    .option("--models <models>", "what it may name, such as minilm,smol@2 (default: all that its tenant may use)", parseList)
    .option("--cidrs <ranges>", "where it may be used from, such as 10.0.0.0/8", parseList)
    .option("--expires <time>", "the first instant at which it is refused, such as 2027-01-01T00:00:00Z")
    .option("--receipts", "have its answers bring a signed receipt without being asked for one")
    .option("--why <reason>", "kept in the history")
    .action(async (options: CreateOptions) => printCreated(context, await create(context, options)));
}

async function create(context: CliContext, { tenant, own, person, scopes, expires, ...rest }: CreateOptions): Promise<CreatedKey> {
  const whose = tenantOf({ ...(tenant === undefined ? {} : { tenant }), ...(own === undefined ? {} : { own }) });
  const wanted: Omit<NewOwnKey, "scopes"> = { ...rest, ...(expires === undefined ? {} : { expiresAt: expires }) };
  if (whose === undefined) return context.tenant().keys.create({ ...wanted, scopes: scopes ?? SCOPES_DEFAULT });
  const rights = person === undefined ? { scopes: scopes ?? SCOPES_DEFAULT } : { person };
  return context.admin().keys.create({ ...wanted, ...rights, tenant: whose });
}

/** Undefined for one's own. */
function tenantOf({ tenant, own }: Whose): string | undefined {
  if ((tenant === undefined) === (own === undefined)) throw new UsageError("Say whose keys: --tenant <id>, or --own.");
  return tenant;
}

function printCreated(context: CliContext, created: CreatedKey) {
  context.output.print(created, renderCreated);
  context.output.note("Keep it now: it cannot be shown again.");
}

/** The key alone on its line, so that it can be copied or cut out. */
function renderCreated(created: CreatedKey): string {
  return `${render([created])}\n\n${created.key}`;
}

function render(keys: readonly KeyRevision[]): string {
  return table(
    ["ID", "TENANT", "NAME", "SCOPES", "BOUNDS", "STATE", "USED", "CHANGED"],
    keys.map(({ id, tenant, name, scopes, person, isRevoked, lastUsedAt = "", revision, ...bounds }) => [
      ...[id, tenant, name],
      person === undefined ? scopes.join(",") : `as ${person}`,
      boundsOf(bounds),
      isRevoked ? "revoked" : "valid",
      ...[lastUsedAt, revision.at],
    ]),
  );
}

function boundsOf({ models = [], cidrs = [], expiresAt, previousEndsAt }: Partial<KeyRevision>): string {
  const until = expiresAt === undefined ? [] : [`until ${expiresAt}`];
  const rotating = previousEndsAt === undefined ? [] : [`old secret until ${previousEndsAt}`];
  return [...models, ...cidrs, ...until, ...rotating].join(" ");
}

function parseScopes(text: string): Scope[] {
  const scopes = Scope.array().safeParse(parseList(text));
  if (!scopes.success) throw new InvalidArgumentError(`Scopes are ${Scope.options.join(", ")}, with commas between.`);
  return scopes.data;
}

function parseList(text: string): string[] {
  return text.split(",");
}

function parseSeconds(text: string): number {
  if (!/^[0-9]{1,9}$/.test(text)) throw new InvalidArgumentError("It must be a whole number of seconds.");
  return Number(text);
}
