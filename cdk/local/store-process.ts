import type { AddressInfo } from "node:net";

/** What the two stores' processes have in common: how they speak to their supervisor, and when they end. */

/** How long a store may take to close before its process ends anyway. */
export const CLOSE_MS_MAX = 5_000;

export function sayReady(port: number): void {
  process.send?.({ ready: true, port });
}

/** Ends this process with a reason, which its supervisor says. */
export function sayFailed(reason: string): void {
  process.send?.({ ready: false, reason }, () => process.exit(1));
}

/** Closes the store and ends when asked to, and when the supervisor is gone: nothing outlives it. */
export function closeAtTheEnd(close: () => Promise<unknown>): void {
  const end = () => {
    setTimeout(() => process.exit(1), CLOSE_MS_MAX).unref();
    close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.once("SIGTERM", end);
  process.once("disconnect", end);
}

export function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === "string") throw new Error("the store listens on no port");
  return address.port;
}
