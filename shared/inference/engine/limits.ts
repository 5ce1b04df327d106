import { Failure } from "../../base/failure.ts";
import type { CallLimits } from "../contract.ts";

/** Answers when the work is done, or with `timeout` or `cancelled` as soon as the time is over or the caller has left; work that waits is told by its signal. */
export async function whileTimeLasts<T>({ signal, timeoutMs }: CallLimits, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  if (signal.aborted) throw new Failure("cancelled", "The caller left.");
  const ending = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let leave = () => {};
  const over = new Promise<never>((_, reject) => {
    const end = (failure: Failure) => {
      ending.abort();
      reject(failure);
    };
    leave = () => end(new Failure("cancelled", "The caller left."));
    timer = setTimeout(() => end(new Failure("timeout", "The model did not answer in time.", { retryAfterMs: 1_000 })), timeoutMs);
    signal.addEventListener("abort", leave, { once: true });
  });
  try {
    return await Promise.race([work(ending.signal), over]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", leave);
  }
}
