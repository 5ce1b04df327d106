import { hash } from "node:crypto";
import { Failure } from "../../base/failure.ts";
import type { EarlierRow } from "../ledger/ledger.ts";

/** How long an answer is kept for whoever asks again with the same key. */
export const ANSWER_KEPT_MS = 24 * 3_600_000;
/** How long it is known that a key was used; after that it may be used anew. */
export const IDENTITY_KEPT_MS = 35 * 24 * 3_600_000;
/** Until then a row that was billed for a cut stream may still be voided: the bucket is read for the last time when it is a day old. */
const CUT_TAKEN_OVER_MS = 23 * 3_600_000;
/** Between a claim and its row; longer than the store may take for both and clocks be apart. */
const UNRESERVED_MS = 45_000;
/** A larger answer leaves, but is not kept. */
export const ANSWER_BYTES_MAX = 8 * 1024 ** 2;
/** Below this an answer lies in its key's item: eight write units cost what a put in S3 costs. */
export const INLINE_BYTES_MAX = 8 * 1024;

const KEY_CHARS_MAX = 255;
const RETRY_AFTER_MS = 2_000;

/** Who answers for a key now: one attempt at a time, each takeover with a higher epoch. */
export type Claim = {
  /** The item's own key, from `claimIdOf`. */
  readonly id: string;
  readonly requestId: string;
  readonly epoch: number;
  readonly fingerprint: string;
  readonly claimedAtMs: number;
};

/** A successful answer as it can be given again, before any compression. */
export type KeptAnswer = {
  readonly contentType: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Undefined: too large to be kept. */
  readonly body: Uint8Array | undefined;
};

export type StoredAnswer = Omit<KeptAnswer, "body"> & {
  readonly body:
    | { readonly kind: "inline"; readonly bytes: Uint8Array }
    | { readonly kind: "object"; readonly key: string }
    | { readonly kind: "too large" };
};

/** A key's item. The answer is stored before its row is settled, so one that is there without a settled row was never given. */
export type Claimed = Claim & { readonly answer?: StoredAnswer };

export type IdempotencyStore = {
  readonly find: (id: string) => Promise<Claimed | undefined>;
  /** Puts the item if there is none, or moves it from `before` to the new request; its answer goes. False: another attempt was quicker. */
  readonly claim: (claim: Claim, before: Claimed | undefined) => Promise<boolean>;
  /** Stores an answer, unless another attempt has taken the claim over meanwhile: then false. */
  readonly keep: (claim: Claim, answer: KeptAnswer) => Promise<boolean>;
  /** The body of a stored answer; undefined if it is not there any more. */
  readonly bodyOf: (answer: StoredAnswer) => Promise<Uint8Array | undefined>;
  /** For whoever tidies up: an item that has moved to another request meanwhile stays as it is. */
  readonly dropAnswer: (claim: Pick<Claim, "id" | "requestId">) => Promise<void>;
  readonly remove: (claim: Pick<Claim, "id" | "requestId">) => Promise<void>;
};

/** Reads the header: a quoted string (RFC 9651), as the draft has it, or the same bare, as clients send it. Refuses what is neither with `invalid_request`. */
export function parseIdempotencyKey(header: string): string {
  const text = header.trim();
  const key = QUOTED.test(text) ? text.slice(1, -1).replaceAll(/\\(["\\])/g, "$1") : text;
  if (key.length > 0 && key.length <= KEY_CHARS_MAX && PRINTABLE.test(key) && (key !== text || !text.startsWith('"'))) return key;
  const message = `Idempotency-Key: must be 1 to ${KEY_CHARS_MAX} printable ASCII characters, quoted or bare`;
  throw new Failure("invalid_request", message, { field: "Idempotency-Key" });
}

const PRINTABLE = /^[\x20-\x7e]+$/;
const QUOTED = /^"(?:[^"\\]|\\["\\])*"$/;

/** A tenant's keys are its own: the same key of another one is another key. */
export function claimIdOf(tenant: string, key: string): string {
  return `${tenant}#${hash("sha256", key, "base64url")}`;
}

/** For callers without keys, whose tenant wants equal requests taken for one within a window. No hash of a key begins so. */
export function duplicateIdOf(tenant: string, fingerprint: string): string {
  return `${tenant}#~${fingerprint}`;
}

export type Verdict =
  /** Nobody has asked with this key, or nobody's answer was billed: the request may be worked on. */
  | { readonly kind: "run" }
  /** The earlier row is to be annulled first, so that it can never be billed. */
  | { readonly kind: "take over" }
  | { readonly kind: "replay"; readonly answer: StoredAnswer }
  | { readonly kind: "refuse"; readonly failure: Failure };

export type Found = {
  readonly claimed: Claimed;
  readonly row: EarlierRow;
  readonly nowMs: number;
};

/** Decides what becomes of a request that was made before with the same key and the same body, by the item and the earlier request's row. */
export function judgeRetry({ claimed, row, nowMs }: Found): Verdict {
  const ageMs = nowMs - claimed.claimedAtMs;
  if (row.isVoided) return { kind: "run" };
  switch (row.state) {
    case "void":
      return { kind: "run" };
    case "absent":
      return ageMs <= UNRESERVED_MS ? refuse(inProgress()) : { kind: "take over" };
    case "pending":
      return nowMs <= row.expiresAtMs ? refuse(inProgress()) : { kind: "take over" };
    case "settled":
      if (row.outcome === "cut") return ageMs <= CUT_TAKEN_OVER_MS ? { kind: "take over" } : refuse(gone());
      return claimed.answer === undefined || ageMs > ANSWER_KEPT_MS ? refuse(gone()) : { kind: "replay", answer: claimed.answer };
  }
}

const refuse = (failure: Failure): Verdict => ({ kind: "refuse", failure });

/** Another request with the same key is being worked on. */
export function inProgress(): Failure {
  return new Failure("in_progress", "The same request is being worked on already. Try again shortly.", {
    field: "Idempotency-Key",
    retryAfterMs: RETRY_AFTER_MS,
  });
}

/** The request was answered and billed; it is not worked on again. */
export function gone(): Failure {
  const message = `The same request has been answered before, and its answer is not kept any more: answers are kept for ${ANSWER_KEPT_MS / 3_600_000} hours, up to ${ANSWER_BYTES_MAX / 1024 ** 2} MiB.`;
  return new Failure("conflict", message, { field: "Idempotency-Key" });
}

/** The key stands for another request. */
export function keyReused(): Failure {
  const message = "This Idempotency-Key was used for another request: a retry has the same path and the same body.";
  return new Failure("key_reused", message, { field: "Idempotency-Key" });
}
