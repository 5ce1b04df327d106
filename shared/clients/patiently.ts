import { setTimeout as sleep } from "node:timers/promises";
import { Failure } from "../base/failure.ts";

const ATTEMPTS_MAX = 6;
const WAIT_MS = 250;
const WAIT_MS_MAX = 10_000;

/** Does again what may be done twice, for as long as the failure says that it may help; waits longer each time, or as long as it says. */
export async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (cause) {
      if (attempt >= ATTEMPTS_MAX || !(cause instanceof Failure && cause.isRetryable)) throw cause;
      await sleep(Math.min(WAIT_MS_MAX, Math.max(cause.retryAfterMs ?? 0, WAIT_MS * 2 ** (attempt - 1))));
    }
  }
}
