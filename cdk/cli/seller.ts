import type { Command } from "commander";
import { Failure } from "../../shared/base/failure.ts";
import { RevisionStamp } from "../../shared/base/revision.ts";
import { SellerChange, type SellerRevision } from "../../shared/billing/invoices/seller.ts";
import type { CliContext } from "./context.ts";
import { readJson } from "./invoice-folder.ts";

/** A file holds what the API takes. One of `seller show --json` says which revision it was made of too. */
const SellerFile = SellerChange.safeExtend({ revision: RevisionStamp.exactOptional() });

export function registerSellerCommands(program: Command, context: CliContext) {
  const seller = program.command("seller").description("who stands on invoices as the sender");
  seller
    .command("show")
    .description("show the seller's details")
    .action(async () => context.output.print(await context.admin().seller.show(), render));
  seller
    .command("set <file>")
    .description(
      "set them from a JSON file: name, address (lines), taxId, email, payment (lines), note, paymentTermDays, invoicePrefix, creditPrefix. One made of `seller show --json` has its revision and is refused if it is not the last any more",
    )
    .option("--why <reason>", "kept in the history")
    .action(async (file: string, { why }: { why?: string }) => {
      const json = await readJson(file);
      const details = SellerFile.safeParse(json);
      if (!details.success) {
        const [issue] = details.error.issues;
        throw new Failure("invalid_request", `${file}: ${issue?.path.join(".")} ${issue?.message}`);
      }
      const { revision, ...change } = details.data;
      const asked = { ...change, ...(why === undefined ? {} : { why }) };
      context.output.print(await context.admin().seller.set(asked, revision?.number), render);
    });
}

function render({ name, address, taxId, paymentTermDays, invoicePrefix, creditPrefix, revision }: SellerRevision): string {
  const lines = [name, ...address, ...(taxId === undefined ? [] : [`tax id ${taxId}`])];
  const terms = `numbers ${invoicePrefix}-… and ${creditPrefix}-…, due after ${paymentTermDays} days`;
  return [...lines, terms, `by ${revision.by} at ${revision.at}: ${revision.why}`].join("\n");
}
