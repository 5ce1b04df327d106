import type { FailureCode } from "../../shared/base/failure.ts";
import { ANSWER_KEPT_MS } from "../../shared/usage/retries/idempotency.ts";
import { GENERATION_SECONDS_MAX, REQUEST_TIMEOUT_MS } from "../limits.ts";
import { TIMEOUT_HEADER, TIMEOUT_SECONDS_MIN } from "../serve/deadline.ts";
import { MAX_COST_HEADER } from "../serve/max-cost.ts";
import { IDEMPOTENCY_HEADER } from "../serve/once.ts";
import { RECEIPT_HEADER } from "../serve/receipt.ts";

/** What a caller of any dialect may say in headers. */
export const INFER_HEADERS = [
  { name: RECEIPT_HEADER, summary: "`1`: the answer brings a signed receipt; `0`: it does not, although the key's setting says so" },
  {
    name: IDEMPOTENCY_HEADER,
    summary: `1 to 255 printable ASCII characters, quoted or bare. The same key and body within ${ANSWER_KEPT_MS / 3_600_000} h is answered again and billed once (\`Idempotent-Replayed: true\`); while it is worked on, 409 with \`Retry-After\`; another body, 422`,
  },
  { name: "Weir-Unit", summary: "What sticks to one arm of a split; else the caller's `user`, else the key" },
  {
    name: TIMEOUT_HEADER,
    summary: `Seconds that the caller waits, from ${TIMEOUT_SECONDS_MIN} and with a fraction if need be; ${REQUEST_TIMEOUT_MS / 1000} at most, and if it says nothing; whole generations have what the deployment gives them, ${GENERATION_SECONDS_MAX} at most, and end with what there is by then`,
  },
  {
    name: MAX_COST_HEADER,
    summary:
      "What the request may cost, such as `0.01`, in its price book's currency. One that could cost more by itself is refused before any work; of steps the dearest counts, no allowance is left, and what is charged by the month is not in it",
  },
];

/** What an answer of any dialect may say in headers. */
export const INFERRED_HEADERS = [
  { name: "Weir-Request-Id", summary: "The id of the request that was billed; a replay has the first one's" },
  { name: "Weir-Model", summary: "The version that answered, such as `minilm@2`" },
  { name: "Weir-Arm", summary: "The arm of the split" },
  { name: "Weir-Tier", summary: "Where it was computed" },
  { name: "Weir-Degraded", summary: "Why a fallback answered; absent if none did" },
  {
    name: RECEIPT_HEADER,
    summary:
      "A compact JWS (EdDSA) over what is billed, see `/.well-known/weir-receipts`; on a stream the comment `: weir-receipt …` before its end",
  },
  { name: "Idempotent-Replayed", summary: "`true`: the answer of an earlier request with the same Idempotency-Key, which was billed then" },
];

/** Refusals of inference in every dialect. */
export const INFER_REFUSALS = [
  ...["not_found", "overloaded", "engine_failed", "timeout"],
  ...["in_progress", "conflict", "key_reused"],
] as const satisfies readonly FailureCode[];
