import { readFile } from "node:fs/promises";
import { type Command, InvalidArgumentError } from "commander";
import type * as z from "zod";
import { RevisionStamp } from "../../shared/base/revision.ts";
import { PriceBookChange, type PriceBookRevision } from "../../shared/billing/prices/price-book.ts";
import type { PriceQuestion, PriceQuote } from "../../shared/billing/prices/quote.ts";
import { PriceBookName } from "../../shared/billing/tenant-billing.ts";
import { everyItem } from "../../shared/clients/http.ts";
import { Tier } from "../../shared/usage/row.ts";
import type { CliContext } from "./context.ts";
import { table } from "./output.ts";
import { UsageError } from "./usage-error.ts";

/** A file holds what the API takes, and the book's name. One of `prices show` says which revision it was made of too. */
const PriceFile = PriceBookChange.extend({ name: PriceBookName, revision: RevisionStamp.exactOptional() });

type QuoteOptions = Omit<PriceQuestion, "model" | "inputs" | "maxOutputTokens"> & {
  readonly inputs: number;
  readonly maxOutputTokens: number;
};

export function registerPriceCommands(program: Command, context: CliContext) {
  const prices = program.command("prices").description("what things cost, and from when on");
  prices
    .command("set <file>")
    .description(
      "set a book's prices from an hour on, as a JSON file says: name, currency, effectiveFrom, entries. One made of `prices show` has its revision and is refused if it is not the last any more",
    )
    .option("--why <reason>", "kept in the history")
    .action(async (path: string, options: { why?: string }) => {
      const { name, revision, ...change } = await readPrices(path);
      context.output.print(await context.admin().prices.set(name, { ...change, ...options }, revision?.number), (book) => render([book]));
    });
  prices
    .command("show <book>")
    .description("show a book's latest prices")
    .action(async (book: string) => {
      context.output.print(await context.admin().prices.show(book), (each) => JSON.stringify(each, null, 2));
    });
  prices
    .command("list")
    .description("list all price books")
    .action(async () => {
      context.output.print(await everyItem(context.admin().prices.list), render);
    });
  prices
    .command("history <book>")
    .description("list what a book charged and will charge, newest first")
    .action(async (book: string) => {
      context.output.print(await everyItem((page) => context.admin().prices.history(book, page)), render);
    });
  prices
    .command("quote <model>")
    .description("what a request of this key's tenant would cost at most")
    .option("--inputs <count>", "how many texts", count, 1)
    .option("--input-tokens <count>", "of all texts (default: as much as the model reads)", count)
    .option("--max-output-tokens <count>", "new tokens at most", count, 0)
    .option("--compute-ms <milliseconds>", "compute time (default: left out)", count)
    .option("--tier <tier>", `one of ${Tier.options.join(", ")} (default: the model's own)`, tier)
    .action(async (model: string, options: QuoteOptions) => {
      context.output.print(await context.tenant().quote({ model, ...options }), renderQuote);
    });
}

async function readPrices(path: string): Promise<z.infer<typeof PriceFile>> {
  let json: unknown;
  try {
    json = JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw new UsageError(`${path} cannot be read as JSON: ${cause instanceof Error ? cause.message : cause}`);
  }
  const parsed = PriceFile.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new UsageError(`${path}: ${[issue?.path.join("."), issue?.message].filter((each) => each).join(": ")}`);
}

function render(books: readonly PriceBookRevision[]): string {
  const rows = books.map((book) => [
    book.name,
    `${book.revision.number}`,
    book.currency,
    book.effectiveFrom,
    `${book.entries.length}`,
    book.revision.by,
    book.revision.why,
  ]);
  return table(["BOOK", "REVISION", "CURRENCY", "FROM", "ENTRIES", "BY", "WHY"], rows);
}

function renderQuote({ model, tier: on, amount, currency, priceBook, priceVersion, assumes }: PriceQuote): string {
  const by = priceBook === null ? "" : ` by ${priceBook} revision ${priceVersion}`;
  return [`${model} on ${on}: at most ${amount} ${currency ?? ""}`.trimEnd() + by, ...assumes.map((each) => `- ${each}`)].join("\n");
}

function count(text: string): number {
  if (/^\d{1,10}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("it must be a whole number.");
}

function tier(text: string): Tier {
  const parsed = Tier.safeParse(text);
  if (parsed.success) return parsed.data;
  throw new InvalidArgumentError(`it must be one of ${Tier.options.join(", ")}.`);
}
