import { hash } from "node:crypto";

/** SHA-256 in lowercase hexadecimal. */
export function sha256Hex(bytes: string | Uint8Array): string {
  return hash("sha256", bytes, "hex");
}

/** A uniform integer in [0, bucketCount), the same for the same text on every machine and in every release. */
export function bucketOf(text: string, bucketCount: number): number {
  // 48 bits of SHA-256: the bias of the modulo is below 1e-10 for any bucket count that Weir uses.
  return hash("sha256", text, "buffer").readUIntBE(0, 6) % bucketCount;
}
