import type { UsageSum } from "./report.ts";
import type { UsageRow } from "./row.ts";

/** Where metered requests are made durable, before anything of their answers leaves. */
export type Ledger = {
  /** Fails with `unavailable` while this machine's clock is too far from the store's: a row's address would lie. Asked before work is done. */
  readonly assertSoundClock: () => void;
  /**
   * Settles a post-paid unary request: resolves once its row is durable.
   * Fails with `unavailable` if that could not be had within `timeoutMs`; a void marker then follows, so that the request is not billed.
   */
  readonly settle: (row: UsageRow, timeoutMs: number) => Promise<void>;
  /** Resolves when everything that was handed in has been written or given up: for shutdown. */
  readonly drain: () => Promise<void>;
};

export type UsageReader = {
  /** Adds up a tenant's rows accepted in [fromMs, toMs); void rows and voided ones do not count. */
  readonly read: (tenant: string, range: { fromMs: number; toMs: number }) => Promise<UsageSum[]>;
};
