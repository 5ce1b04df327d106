import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { createInterface } from "node:readline";
import type { Command } from "commander";
import { checkReceipt, type Receipt, ReceiptKeySet } from "../../shared/billing/receipts/receipt.ts";
import { isReconciled, type Reconciled, reconcile } from "../../shared/billing/receipts/reconcile.ts";
import type { CliContext } from "./context.ts";
import { openExport } from "./invoice-folder.ts";
import { UsageError } from "./usage-error.ts";

type VerifyOptions = { readonly keys?: string };

const RECEIPT_BYTES_MAX = 64 * 1024;
const RECEIPTS_MAX = 1_000_000;
/** Of a compact JWS. */
const PARTS = 3;

export function registerReceiptCommands(program: Command, context: CliContext) {
  const receipts = program.command("receipts").description("signed receipts of requests, as the answers' header Weir-Receipt brings them");
  receipts
    .command("verify <receipt>")
    .description("check a receipt, given as a text or as a file that holds one; needs no gateway with --keys")
    .option(...KEYS)
    .action(async (given: string, { keys }: VerifyOptions) => {
      context.output.print(checked(await textOf(given), await keySetOf(context, keys)), render);
    });
  receipts
    .command("reconcile <folder> <receipts>")
    .description(
      "hold receipts, a file with one on each line, against an invoice that `weir invoices export` wrote; exit code 1 if anything differs",
    )
    .option(...KEYS)
    .action(async (folder: string, path: string, { keys }: VerifyOptions) => {
      const keySet = await keySetOf(context, keys);
      const reconciled = await reconcile(await receiptsIn(path, keySet), (await openExport(folder)).rows());
      context.output.print(reconciled, renderReconciled);
      if (!isReconciled(reconciled)) throw new Error("the receipts and the invoice do not say the same.");
    });
}

const KEYS = ["--keys <file>", "the published keys, as /.well-known/weir-receipts answered them (default: ask the gateway)"] as const;

async function keySetOf(context: CliContext, path: string | undefined): Promise<ReceiptKeySet> {
  return path === undefined ? context.tenant().receiptKeys() : readKeys(path);
}

function checked(text: string, keySet: ReceiptKeySet): Receipt {
  const found = checkReceipt(text, keySet);
  if (!found.isValid) throw new Error(`the receipt is not valid: ${found.reason}`);
  return found.receipt;
}

/** One on each line, as headers or streams' comments brought them. */
async function receiptsIn(path: string, keySet: ReceiptKeySet): Promise<Receipt[]> {
  const receipts: Receipt[] = [];
  for await (const line of createInterface({ input: createReadStream(path) })) {
    if (line.trim() !== "") receipts.push(checked(bare(line), keySet));
    if (receipts.length > RECEIPTS_MAX) throw new UsageError(`${path} holds more than ${RECEIPTS_MAX} receipts: split it.`);
  }
  return receipts;
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
  if (file === undefined && bare(given).split(".").length !== PARTS)
    throw new Error(`the receipt is not valid: '${given.slice(0, 100)}' is neither one nor a file that is there`);
  const text = file === undefined ? given : await readFile(given, "utf8");
  return bare(text);
}

function bare(text: string): string {
  return text.trim().replace(/^: weir-receipt /, "");
}

function renderReconciled({ matched, missing, different, doubled, unreceipted }: Reconciled): string {
  return [
    `${matched} receipts match their rows; ${unreceipted} rows have no receipt`,
    ...missing.map((requestId) => `${requestId}: is not in the invoice`),
    ...different.map(({ requestId, fields }) => `${requestId}: differs in ${fields.join(", ")}`),
    ...doubled.map((requestId) => `${requestId}: is in the invoice more than once`),
  ].join("\n");
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
