import { writeFile } from "node:fs/promises";
import { type Command, Option } from "commander";
import { Failure } from "../../shared/base/failure.ts";
import type { Check } from "../../shared/billing/invoices/check.ts";
import type { CreditNoteRevision } from "../../shared/billing/invoices/credit-note.ts";
import { FORMATS, type Format, type InvoiceRevision } from "../../shared/billing/invoices/invoice.ts";
import type { InvoiceDocument } from "../../shared/billing/invoices/invoice-document.ts";
import { type LineDifference, type ReRated, reRate } from "../../shared/billing/invoices/re-rate.ts";
import { NewReplacement, type ReplacementRevision } from "../../shared/billing/invoices/replacement.ts";
import { dueMinorOf, verifyCorrections } from "../../shared/billing/invoices/verify-corrections.ts";
import { verifyInvoice } from "../../shared/billing/invoices/verify-invoice.ts";
import { printMinor } from "../../shared/billing/money.ts";
import { InvoicePrices, PriceBook } from "../../shared/billing/prices/price-book.ts";
import { everyItem } from "../../shared/clients/http.ts";
import type { CliContext } from "./context.ts";
import { checkDocuments, checkNoteFiles, exportInvoice, openCorrections, openExport, readJson } from "./invoice-folder.ts";
import { printable, table } from "./output.ts";

type ListOptions = { readonly tenant?: string; readonly month?: string };

export function registerInvoiceCommands(program: Command, context: CliContext) {
  const invoices = program.command("invoices").description("what tenants owe");
  registerReading(invoices, context);
  registerChanging(invoices, context);
  registerComputing(invoices, context);
}

/** Operators read all invoices; any other key reads its own tenant's. */
async function asEither<T>(context: CliContext, read: (invoices: ReturnType<CliContext["tenant"]>["invoices"]) => Promise<T>): Promise<T> {
  try {
    return await read(context.admin().invoices);
  } catch (error) {
    if (error instanceof Failure && error.code === "forbidden") return read(context.tenant().invoices);
    throw error;
  }
}

function registerReading(invoices: Command, context: CliContext) {
  invoices
    .command("list")
    .description("list invoices of a tenant or a month (default: the key's own tenant's)")
    .option("--tenant <id>", "for operators: whose")
    .option("--month <month>", "for operators: all tenants' of a month such as 2026-11")
    .action(async (options: ListOptions) => {
      const isOwn = options.tenant === undefined && options.month === undefined;
      const source = isOwn ? context.tenant().invoices : context.admin().invoices;
      context.output.print(await everyItem((page) => source.list({ ...options, ...page })), renderInvoices);
    });
  invoices
    .command("show <id>")
    .description("show an invoice such as acme-2026-11")
    .action(async (id: string) => {
      context.output.print(await asEither(context, (from) => from.show(id)), renderInvoice);
    });
  invoices
    .command("save <id> <file>")
    .description("write an invoice's document, or that of one of its credit notes, to a file")
    .option("--credit <id>", "of the credit note, as `weir invoices show` names it")
    .addOption(new Option("--format <format>", "which").choices(FORMATS).default("pdf"))
    .action(async (id: string, file: string, { format, credit }: { format: Format; credit?: string }) => {
      const bytes = await asEither(context, (from) =>
        credit === undefined ? from.document(id, format) : from.creditDocument(id, credit, format),
      );
      await writeFile(file, bytes);
      context.output.print({ file, bytes: bytes.length }, () => `${file}: ${bytes.length} bytes`);
    });
}

function registerChanging(invoices: Command, context: CliContext) {
  const admin = () => context.admin().invoices;
  invoices
    .command("issue <id>")
    .description("ask for an invoice; refused with how much of its month is sealed and audited, before all of it is")
    .action(async (id: string) => context.output.print(await admin().issue(id), renderInvoice));
  invoices
    .command("pay <id>")
    .description("record that an invoice was paid")
    .requiredOption("--reference <text>", "of the payment")
    .option("--at <time>", "when (default: now)")
    .action(async (id: string, { reference, at }: { reference: string; at?: string }) => {
      context.output.print(await admin().pay(id, { reference, ...(at === undefined ? {} : { paidAt: at }) }), renderInvoice);
    });
  invoices
    .command("void <id>")
    .description("take back an issued invoice that is neither paid nor credited; its number stays taken")
    .requiredOption("--why <reason>", "kept in the history")
    .action(async (id: string, { why }: { why: string }) => context.output.print(await admin().void(id, { reason: why }), renderInvoice));
  invoices
    .command("replace <id>")
    .description("have the month of a void, or wholly credited, invoice invoiced again, by today's terms and with a new number")
    .requiredOption("--why <reason>", "kept in the history")
    .option("--adjustments <file>", "JSON of a list of id, amountMinor and reason, in place of the old invoice's (default: the same)")
    .action(async (id: string, { why, adjustments }: { why: string; adjustments?: string }) => {
      const list = adjustments === undefined ? {} : { adjustments: await readAdjustments(adjustments) };
      context.output.print(await admin().replace(id, { reason: why, ...list }), renderReplacement);
    });
  invoices
    .command("adjust <id> <minor>")
    .description("correct a draft by hand, before tax, in the currency's minor unit; after `--` the amount may be negative")
    .requiredOption("--id <id>", "of your choice: the same id again changes nothing")
    .requiredOption("--why <reason>", "stands on the invoice")
    .action(async (invoice: string, amountMinor: string, { id, why }: { id: string; why: string }) => {
      context.output.print(await admin().adjust(invoice, { id, amountMinor, reason: why }), renderInvoice);
    });
  invoices
    .command("credit <id> [minor]")
    .description("give back some of an issued invoice, with its tax, in the currency's minor unit (default: all that is left)")
    .requiredOption("--id <id>", "of your choice: the same id again changes nothing")
    .requiredOption("--why <reason>", "stands on the credit note")
    .action(async (invoice: string, minor: string | undefined, { id, why }: { id: string; why: string }) => {
      const body = { id, reason: why, ...(minor === undefined ? {} : { amountMinor: minor }) };
      context.output.print(await admin().credit(invoice, body), renderNote);
    });
}

function registerComputing(invoices: Command, context: CliContext) {
  invoices
    .command("export <id> <folder>")
    .description("write an invoice and all that it follows from into a folder: rows, seals, prices, documents, credit notes")
    .action(async (id: string, folder: string) => {
      const exported = await asEither(context, (from) => exportInvoice({ invoices: from, tenant: context.tenant() }, id, folder));
      context.output.print(exported, ({ files }) => files.map((file) => `${folder}/${file}`).join("\n"));
    });
  invoices
    .command("verify <folder>")
    .description("compute an exported invoice and its credit notes anew, row by row and offline; exit code 1 if anything differs")
    .action(async (folder: string) => {
      const { head, document, prices, ...files } = await openExport(folder);
      const basis = { document, adjustments: head.adjustments, book: prices.revisions, seals: files.seals(), rows: files.rows() };
      const invoiced = [await checkDocuments(folder, head, document), ...(await verifyInvoice(basis))];
      const checks = [...invoiced, ...(await checkCorrections(folder, head, document))];
      context.output.print(checks, (all) => `${renderChecks(all)}\n${dueText(head)}`);
      const [first] = checks.flatMap(({ differences }) => differences);
      if (first !== undefined) throw new Failure("conflict", `${folder} does not add up: ${first}.`);
    });
  invoices
    .command("re-rate <folder>")
    .description("show what another price book would make of an exported invoice's rows")
    .requiredOption("--prices <file>", "JSON of a price book, or of its revisions as an export has them")
    .action(async (folder: string, { prices }: { prices: string }) => {
      const { document, ...files } = await openExport(folder);
      const book = revisionsIn(prices, await readJson(prices));
      context.output.print(await reRate({ document, seals: files.seals(), rows: files.rows() }, book), renderReRated);
    });
}

async function checkCorrections(folder: string, head: InvoiceRevision, document: InvoiceDocument): Promise<readonly Check[]> {
  const found = await openCorrections(folder);
  if (found !== undefined) return [await checkNoteFiles(folder, found.corrections), ...verifyCorrections({ head, document, ...found })];
  // Of an export that is older than such files nothing is missing unless something was given back.
  const credits = "credits" in head ? head.credits : [];
  const differences = credits.map(({ id }) => `the credit note of ${id} is not in the export: export it again`);
  return [{ name: "credit notes are in the export", count: credits.length, differences }];
}

/** What the tenant owes by this export. */
function dueText(invoice: InvoiceRevision): string {
  const due = money(dueMinorOf(invoice), invoice.currency);
  const credited = "credits" in invoice && invoice.credits.length > 0 ? `, ${invoice.credits.length} credits` : "";
  return `due ${due} ${invoice.currency} (${invoice.state}${credited})`;
}

async function readAdjustments(file: string) {
  const list = NewReplacement.shape.adjustments.safeParse(await readJson(file));
  if (list.success) return list.data ?? [];
  const [issue] = list.error.issues;
  throw new Failure("invalid_request", `${file} is no list of adjustments: ${issue?.path.join(".")} ${issue?.message}`);
}

function revisionsIn(file: string, json: unknown): InvoicePrices["revisions"] {
  const whole = InvoicePrices.safeParse(json);
  if (whole.success) return whole.data.revisions;
  const book = PriceBook.safeParse(json);
  if (book.success) return [{ revision: 1, body: book.data }];
  throw new Failure(
    "invalid_request",
    `${file} is no price book: ${book.error.issues[0]?.path.join(".")} ${book.error.issues[0]?.message}`,
  );
}

const money = (minor: string | bigint, currency: string) => printMinor(BigInt(minor), currency);

function renderInvoices(invoices: readonly InvoiceRevision[]): string {
  return table(
    ["ID", "NUMBER", "STATE", "TOTAL", "LEFT", "", "SEALED"],
    invoices.map((invoice) => [
      invoice.id,
      "issue" in invoice ? invoice.issue.name : "-",
      invoice.state,
      money(invoice.totals.totalMinor, invoice.currency),
      "leftMinor" in invoice ? money(invoice.leftMinor, invoice.currency) : "-",
      invoice.currency,
      `${invoice.closed.sealed} of ${invoice.closed.of}`,
    ]),
  );
}

function renderInvoice(invoice: InvoiceRevision): string {
  const { totals, currency, closed, adjustments, revision } = invoice;
  const credits = "credits" in invoice ? invoice.credits : [];
  const notes = [
    `net ${money(totals.netMinor, currency)}, tax ${money(totals.taxMinor, currency)}; audited ${closed.audited} of ${closed.of}`,
    ...("madeAt" in invoice && invoice.state === "draft" ? [draftText(invoice.madeAt, revision.at)] : []),
    ...("problem" in invoice && invoice.problem !== undefined ? [invoice.problem] : []),
    ...("issue" in invoice ? [`issued ${invoice.issue.issuedAt}, due ${invoice.issue.dueAt}`] : []),
    ...("payment" in invoice ? [`paid ${invoice.payment.paidAt}: ${invoice.payment.reference}`] : []),
    ...(invoice.replaces === undefined ? [] : [`replaces ${invoice.replaces.name} (${invoice.replaces.id}), which was taken back`]),
    ...("voided" in invoice ? [`void ${invoice.voided.at}: ${invoice.voided.reason}`] : []),
    ...("replacedBy" in invoice && invoice.replacedBy !== undefined
      ? [`replaced by ${invoice.replacedBy.name} (${invoice.replacedBy.id})`]
      : []),
    ...adjustments.map(({ id, amountMinor, reason }) => `adjusted by ${money(amountMinor, currency)} (${id}): ${reason}`),
    ...credits.map(({ id, amountMinor, reason }) => `credited ${money(amountMinor, currency)} (${id}): ${reason}`),
    `by ${revision.by} at ${revision.at}: ${revision.why}`,
  ];
  return `${renderInvoices([invoice])}\n\n${notes.map(printable).join("\n")}`;
}

function draftText(madeAt: string, changedAt: string): string {
  const text = `computed ${madeAt}, from what was sealed by then`;
  return changedAt > madeAt ? `${text}; changed since, which the totals do not know of until it is computed again in a minute` : text;
}

function renderNote(note: CreditNoteRevision): string {
  return `${note.id} is ${note.state}${note.state === "issued" ? ` as ${note.name}` : ""}`;
}

function renderReplacement({ id, replaces, state, adjustments }: ReplacementRevision): string {
  return `${id} replaces ${replaces.name} with ${adjustments.length} adjustments: ${state === "issued" ? "issued" : "asked for"}`;
}

function renderChecks(checks: readonly Check[]): string {
  const lines = checks.map(({ name, count, differences }) => [differences.length === 0 ? "same" : "DIFFERS", count, name]);
  const told = checks.flatMap(({ differences }) => differences);
  return [table(["", "COUNT", "WHAT"], lines), ...told.map(printable)].join("\n");
}

function renderReRated({ currency, lines, beforeMinor, afterMinor }: ReRated): string {
  const row = (what: string, { quantity, beforeMinor: before, afterMinor: after }: Omit<LineDifference, "what">) =>
    [what, quantity, money(before, currency), money(after, currency), money(after - before, currency)] as const;
  const rows = [...lines.map(({ what, ...line }) => row(what, line)), row("total with tax", { quantity: "", beforeMinor, afterMinor })];
  return table(["WHAT", "QUANTITY", "BEFORE", "AFTER", `DIFFERENCE ${currency}`], rows);
}
