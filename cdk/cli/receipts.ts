import { readFile, stat } from "node:fs/promises";
import type { Command } from "commander";
import { checkReceipt, type Receipt, ReceiptKeySet } from "../../shared/billing/receipt.ts";
import type { CliContext } from "./context.ts";
import { UsageError } from "./usage-error.ts";

type VerifyOptions = { readonly keys?: string };

const RECEIPT_BYTES_MAX = 64 * 1024;

export function registerReceiptCommands(program: Command, context: CliContext) {
  program
    .command("receipts")
    .description("signed receipts of requests, as the answers' header Weir-Receipt brings them")
    .command("verify <receipt>")
    .description("check a receipt, given as a text or as a file that holds one; needs no gateway with --keys")
    .option("--keys <file>", "the published keys, as /.well-known/weir-receipts answered them (default: ask the gateway)")
    .action(async (given: string, { keys }: VerifyOptions) => {
      const keySet = keys === undefined ? await context.tenant().receiptKeys() : await readKeys(keys);
      const checked = checkReceipt(await textOf(given), keySet);
      if (!checked.isValid) throw new Error(`the receipt is not valid: ${checked.reason}`);
      context.output.print(checked.receipt, render);
    });
}

async function readKeys(path: string): Promise<ReceiptKeySet> {
  const parsed = ReceiptKeySet.safeParse(JSON.parse(await readFile(path, "utf8")));
  if (!parsed.success) throw new UsageError(`${path} holds no keys of receipts.`);
  return parsed.data;
}

/** A stream's comment is taken as it stands, too. */
async function textOf(given: string): Promise<string> {
  const file = await stat(given).catch(() => undefined);
  if (file !== undefined && file.size > RECEIPT_BYTES_MAX) throw new UsageError(`${given} is too large to be a receipt.`);
  const text = file === undefined ? given : await readFile(given, "utf8");
  return text.trim().replace(/^: weir-receipt /, "");
}

function render(receipt: Receipt): string {
  const { requestId, tenant, model, task, outcome, acceptedAt, priceVersion } = receipt;
  const { inputs, inputTokens, outputTokens, computeMs } = receipt;
  return [
    `valid: ${requestId}`,
    `${tenant}, ${acceptedAt}, ${model}, ${task}, ${outcome}`,
    `${inputs} inputs, ${inputTokens} tokens in, ${outputTokens} tokens out, ${computeMs} ms, price version ${priceVersion}`,
  ].join("\n");
}
