import { expect, test } from "vitest";
import type { EarlierRow } from "../ledger/ledger.ts";
import {
  ANSWER_KEPT_MS,
  type Claimed,
  claimIdOf,
  duplicateIdOf,
  judgeRetry,
  parseIdempotencyKey,
  type StoredAnswer,
} from "./idempotency.ts";

const NOW = Date.UTC(2026, 10, 23);
const HOUR_MS = 3_600_000;
const ANSWER: StoredAnswer = { contentType: "application/json", headers: {}, body: { kind: "inline", bytes: Buffer.from("{}") } };

function claimed(ageMs: number, answer?: StoredAnswer): Claimed {
  const claim = { id: "acme#k", requestId: "r", epoch: 1, fingerprint: "f", claimedAtMs: NOW - ageMs };
  return answer === undefined ? claim : { ...claim, answer };
}

const settled = (outcome: "ok" | "cut" | "cancelled", isVoided = false): EarlierRow => ({ state: "settled", outcome, isVoided });
const pending = (leftMs: number): EarlierRow => ({ state: "pending", isVoided: false, epoch: 1, expiresAtMs: NOW + leftMs });

test.each<[words: string, row: EarlierRow, item: Claimed, expected: string]>([
  ["settled, with its answer", settled("ok"), claimed(HOUR_MS, ANSWER), "replay"],
  ["settled a day ago", settled("ok"), claimed(ANSWER_KEPT_MS + 1, ANSWER), "conflict"],
  ["settled, its answer not kept", settled("ok"), claimed(HOUR_MS), "conflict"],
  ["ended by its caller, without an answer", settled("cancelled"), claimed(HOUR_MS), "conflict"],
  ["settled and voided", settled("ok", true), claimed(HOUR_MS, ANSWER), "run"],
  ["cut by us", settled("cut"), claimed(HOUR_MS), "take over"],
  ["cut by us, an answer stored before", settled("cut"), claimed(HOUR_MS, ANSWER), "take over"],
  ["cut by us and voided", settled("cut", true), claimed(HOUR_MS), "run"],
  ["cut so long ago that its bucket is closed", settled("cut"), claimed(24 * HOUR_MS), "conflict"],
  ["pending and alive", pending(1), claimed(1_000), "in_progress"],
  ["pending and expired", pending(-1), claimed(HOUR_MS), "take over"],
  ["void", { state: "void", isVoided: false }, claimed(1_000), "run"],
  ["not reserved yet", { state: "absent", isVoided: false }, claimed(1_000), "in_progress"],
  ["never reserved", { state: "absent", isVoided: false }, claimed(60_000), "take over"],
])("an earlier request that is %s", (_, row, item, expected) => {
  const verdict = judgeRetry({ claimed: item, row, nowMs: NOW });

  expect(verdict.kind === "refuse" ? verdict.failure.code : verdict.kind).toBe(expected);
});

test.each([
  ["abc", "abc"],
  ['"abc"', "abc"],
  [' "a b" ', "a b"],
  ['"a\\"b\\\\"', 'a"b\\'],
  ["stainless-node-retry-0b6b1d3e", "stainless-node-retry-0b6b1d3e"],
  ["x".repeat(255), "x".repeat(255)],
])("the header %s is the key %s", (header, key) => {
  expect(parseIdempotencyKey(header)).toBe(key);
});

test.each(["", '""', '"open', '"a"b"', "x".repeat(256), "kéy", "tab\there"])("the header '%s' is no key", (header) => {
  expect(() => parseIdempotencyKey(header)).toThrow("Idempotency-Key");
});

test("keys of tenants, and duplicates without keys, never meet", () => {
  const ids = [claimIdOf("a", "k"), claimIdOf("b", "k"), claimIdOf("a", "K"), duplicateIdOf("a", "k"), claimIdOf("a", "~k")];

  expect(new Set(ids).size).toBe(ids.length);
});
