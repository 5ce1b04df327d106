import { createHash } from "node:crypto";

/** SHA-256 in lowercase hexadecimal. */
export function sha256Hex(bytes: string | Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** A uniform integer in [0, bucketCount), the same for the same text on every machine and in every release. */
export function bucketOf(text: string, bucketCount: number): number {
  // 48 bits of SHA-256: the bias of the modulo is below 1e-10 for any bucket count that Weir uses.
  return createHash("sha256").update(text).digest().readUIntBE(0, 6) % bucketCount;
}
