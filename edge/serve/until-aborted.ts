import { Failure } from "../../shared/base/failure.ts";

/**
 * The same values, but an aborted signal ends the wait for the next one with `cancelled`, whatever the source does.
 * One listener for all values: a race per value would leave a trace of each of them with the signal.
 */
export async function* untilAborted<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T, void> {
  const iterator = source[Symbol.asyncIterator]();
  let leave = () => {};
  const onAbort = () => leave();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    for (;;) {
      const next = await new Promise<IteratorResult<T>>((resolve, reject) => {
        leave = () => reject(new Failure("cancelled", "The caller left."));
        if (signal.aborted) leave();
        else iterator.next().then(resolve, reject);
      });
      if (next.done) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    // Not waited for: a source that hangs would hold up the row of what it has brought.
    iterator.return?.().catch(() => {});
  }
}
