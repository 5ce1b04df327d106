import { REQUEST_TIMEOUT_MS } from "../limits.ts";
import { TIMEOUT_HEADER, TIMEOUT_SECONDS_MIN } from "../serve/deadline.ts";
import { MAX_COST_HEADER } from "../serve/max-cost.ts";

/** What a caller of any dialect may say in headers. */
export const INFER_HEADERS = [
  { name: "Weir-Unit", summary: "What sticks to one arm of a split; else the caller's `user`, else the key" },
  {
    name: TIMEOUT_HEADER,
    summary: `Seconds that the caller waits, from ${TIMEOUT_SECONDS_MIN} and with a fraction if need be; ${REQUEST_TIMEOUT_MS / 1000} at most, and if it says nothing`,
  },
  {
    name: MAX_COST_HEADER,
    summary:
      "What the request may cost, such as `0.01`, in its price book's currency. One that could cost more by itself is refused before any work; of steps the dearest counts, no allowance is left, and what is charged by the month is not in it",
  },
];
