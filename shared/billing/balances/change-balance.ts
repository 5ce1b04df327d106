import { Failure } from "../../base/failure.ts";
import type { Balance, BalanceStore } from "./balance.ts";

/** What a step makes of a balance: absent, there is nothing to write, because it was done before or may not be done. */
export type Change<T> = { readonly balance?: Balance; readonly result: T };

/** Times that others may be faster before a change gives up; they only are when they have changed something themselves. */
export const ATTEMPTS_MAX = 20;

/**
 * Reads, decides and writes until the write met what was read. A step must know its own effect when it reads it, by an id:
 * a write whose acknowledgement was lost is found done when it is read again. Fails with `unavailable`.
 */
export async function changeBalance<T>(
  store: BalanceStore,
  tenant: string,
  step: (balance: Balance) => Change<T> | Promise<Change<T>>,
): Promise<T> {
  let unknown: unknown;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const stored = await store.read(tenant);
    const { balance, result } = await step(stored.balance);
    if (balance === undefined) return result;
    try {
      if (await store.write(tenant, { balance, version: stored.version })) return result;
      unknown = undefined;
    } catch (cause) {
      if (unknown !== undefined) throw cause; // the second time in a row: the store is away
      unknown = cause;
    }
  }
  throw new Failure("unavailable", "Too many others change this balance at once. Try again.", { retryAfterMs: 1_000 });
}
