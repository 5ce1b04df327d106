import type { CallLimits } from "../../shared/inference/contract.ts";
import type { WasmPool } from "./pool.ts";

/**
 * Opens a pool with its first call: a gateway that never needs it pays neither time at its start nor memory for it. What could not be opened, such as
 * a folder that cannot be written, is tried again by the next call.
 */
export function createLazyPool(open: () => Promise<WasmPool>): WasmPool {
  let opening: Promise<WasmPool> | undefined;
  const opened = () => {
    opening ??= open().catch((error) => {
      opening = undefined;
      throw error;
    });
    return opening;
  };
  return {
    async run(request, limits) {
      const left = timeLeft(limits);
      const pool = await opened();
      return pool.run(request, left());
    },
    async *generate(call, limits) {
      const left = timeLeft(limits);
      const pool = await opened();
      yield* pool.generate(call, left());
    },
    close: async () => (await opening?.catch(() => undefined))?.close(),
  };
}

/** Opening counts towards the time of the call that waits for it. */
function timeLeft({ signal, timeoutMs }: CallLimits): () => CallLimits {
  const startedAtMs = performance.now();
  return () => ({ signal, timeoutMs: Math.max(1, Math.floor(timeoutMs - (performance.now() - startedAtMs))) });
}
