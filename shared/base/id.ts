import { randomBytes } from "node:crypto";
import { v7 as uuidV7 } from "uuid";

/** Where identifiers come from: an argument, so that tests and simulations can repeat them. */
export type Ids = {
  /** A UUIDv7 whose first 48 bits are the given instant: a ledger row's address follows from it. */
  readonly requestId: (nowMs: number) => string;
  /** `length` characters of base62, uniform, from the system's random source. */
  readonly base62: (length: number) => string;
};

/** A request id's 16 random bytes come from a pool: a call of the random source for each would cost more than the id. */
const randomPool = {
  bytes: Buffer.alloc(0),
  take() {
    if (this.bytes.length < 16) this.bytes = randomBytes(16 * 1024);
    const taken = this.bytes.subarray(0, 16);
    this.bytes = this.bytes.subarray(16);
    return taken;
  },
};

const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

export const systemIds: Ids = { requestId: (nowMs) => uuidV7({ msecs: nowMs, random: randomPool.take() }), base62 };

/** The instant (ms since the epoch) that a UUIDv7 was made at. */
export function acceptedAtMsOf(requestId: string): number {
  return Number.parseInt(requestId.slice(0, 8) + requestId.slice(9, 13), 16);
}

/** Writes a non-negative integer in base62, padded on the left to `length`. */
export function toBase62(value: number, length: number): string {
  let text = "";
  for (let rest = value; text.length < length; rest = Math.floor(rest / 62)) text = BASE62.charAt(rest % 62) + text;
  return text;
}

function base62(length: number): string {
  let text = "";
  while (text.length < length) {
    // Bytes of 248 and more are thrown away, or the first eight characters would come up more often.
    for (const byte of randomBytes(length)) if (byte < 248 && text.length < length) text += BASE62.charAt(byte % 62);
  }
  return text;
}
