import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Receipt, receiptKeySetOf, receiptKeysOf, signReceipt } from "../../shared/billing/receipts/receipt.ts";
import { startGateway } from "../../test/harness/gateway.ts";
import { runCli } from "./program.ts";

const TEXTS = { "1": "a text that receipt keys are made of" };
const RECEIPT: Receipt = {
  ...{ schema: 1, requestId: "01a2184c-3181-70e9-8abb-66b903afcd03", tenant: "acme", model: "minilm@2", task: "embed", outcome: "ok" },
  ...{ inputs: 1, inputTokens: 7, outputTokens: 0, computeMs: 3, priceVersion: 4, acceptedAt: "2026-11-23T00:00:00.000Z" },
};

test("receipts are checked with keys of the gateway or of a file, as texts or in files, and one that was changed is refused", async () => {
  const gateway = await startGateway({ environment: { WEIR_RECEIPT_KEYS: JSON.stringify(TEXTS) } });
  const environment = { WEIR_URL: await gateway.listen(), WEIR_KEY: gateway.operatorKey };
  const folder = mkdtempSync(join(tmpdir(), "weir-receipts-"));
  const [kept, keys] = [join(folder, "receipt.txt"), join(folder, "keys.json")];
  const receipt = signReceipt(RECEIPT, receiptKeysOf(TEXTS)) ?? "";
  writeFileSync(kept, `: weir-receipt ${receipt}\n`);
  writeFileSync(keys, JSON.stringify(receiptKeySetOf(receiptKeysOf(TEXTS))));
  const verify = async (...words: string[]) => {
    let said = "";
    const say = (text: string) => {
      said += text;
    };
    const code = await runCli({ words: ["receipts", "verify", ...words], stdout: say, stderr: say, environment });
    return { code, said };
  };

  const asked = await verify(receipt);
  await gateway.close();
  const offline = await verify(kept, "--keys", keys);
  const nowhere = await verify(join(folder, "receipts"), "--keys", keys);
  const changed = await verify(receipt.replace(".", ".A"), "--keys", keys);

  expect(asked).toMatchObject({ code: 0, said: expect.stringContaining(`valid: ${RECEIPT.requestId}`) });
  expect(offline).toEqual(asked);
  expect(changed).toMatchObject({ code: 1, said: expect.stringContaining("the receipt is not valid") });
  expect(nowhere).toMatchObject({ code: 1, said: expect.stringContaining("neither one nor a file that is there") });
  rmSync(folder, { recursive: true });
});
