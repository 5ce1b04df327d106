import { generateKeyPairSync, randomBytes } from "node:crypto";
import * as z from "zod";
import { readPrivateJson, writePrivateJson } from "./private-file.ts";
import { StartRefusal } from "./refusal.ts";
import type { StateFolder } from "./state.ts";

const PEPPER_BYTES = 32;

const Secrets = z.object({
  /** By version, as `WEIR_PEPPERS` carries them. */
  peppers: z.record(z.string().regex(/^[1-9][0-9]*$/), z.string().min(1)),
  /** By version, as `WEIR_RECEIPT_KEYS` carries them: PKCS #8 in base64. Absent where the installation is older than receipts. */
  receiptKeys: z.record(z.string().regex(/^[1-9][0-9]*$/), z.string().min(1)).optional(),
});
export type Secrets = Required<z.infer<typeof Secrets>>;

/** Reads the installation's secrets, or makes them on the first start. Without its pepper no stored key could be checked again. */
export function openSecrets(folder: StateFolder): Secrets {
  const path = folder.path("secrets.json");
  const kept = readPrivateJson(path, Secrets);
  if (kept?.receiptKeys !== undefined) return { ...kept, receiptKeys: kept.receiptKeys };
  if (kept !== undefined) {
    const completed = { ...kept, receiptKeys: newReceiptKeys() };
    writePrivateJson(path, completed);
    return completed;
  }
  if (folder.state.isSetUp) {
    throw new StartRefusal(`${path} is missing, and no key works without it: restore it, or delete ${folder.dir} to start from nothing`);
  }
  const made = { peppers: { "1": randomBytes(PEPPER_BYTES).toString("hex") }, receiptKeys: newReceiptKeys() };
  writePrivateJson(path, made);
  return made;
}

function newReceiptKeys(): Secrets["receiptKeys"] {
  const { privateKey } = generateKeyPairSync("ed25519");
  return { "1": privateKey.export({ format: "der", type: "pkcs8" }).toString("base64") };
}
