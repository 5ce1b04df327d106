import type { Outcome, UsageRow } from "../row.ts";
import type { UsageSum } from "../totals/report.ts";

/** Where metered requests are made durable, before anything of their answers leaves. */
export type Ledger = {
  /** Fails with `unavailable` while this machine's clock is too far from the store's: a row's address would lie. Asked before work is done. */
  readonly assertSoundClock: () => void;
  /**
   * Settles a post-paid unary request: resolves once its row is durable.
   * Fails with `unavailable` if that could not be had within `timeoutMs`; a void marker then follows, so that the request is not billed.
   */
  readonly settle: (row: UsageRow, timeoutMs: number) => Promise<void>;
  /**
   * Puts a pending row (`st` P) before any work is done: for streams, prepaid requests and those with an Idempotency-Key.
   * Fails with `unavailable` if that could not be had within `timeoutMs`; a row that may be there all the same is voided, or expires unbilled.
   */
  readonly reserve: (reservation: Reservation, timeoutMs: number) => Promise<ReservedRow>;
  /** The row of an earlier request, as whoever retries it finds it. */
  readonly findEarlier: (request: EarlierRequest) => Promise<EarlierRow>;
  /** Sees to it that an earlier request can never be billed. False if its row is not as it was found any more: look again. */
  readonly annul: (request: EarlierRequest, row: EarlierRow) => Promise<boolean>;
  /** Resolves when everything that was handed in has been written or given up: for shutdown. */
  readonly drain: () => Promise<void>;
};

export type EarlierRequest = Pick<UsageRow, "requestId" | "tenant">;

/** `isVoided`: a void marker lies beside it. */
export type EarlierRow = { readonly isVoided: boolean } & (
  | { readonly state: "absent" | "void" }
  | { readonly state: "pending"; readonly epoch: number; readonly expiresAtMs: number }
  | { readonly state: "settled"; readonly outcome: Outcome }
);

/** What is known of a request before its work begins. */
export type Reservation = Pick<
  UsageRow,
  | "requestId"
  | "tenant"
  | "keyId"
  | "model"
  | "version"
  | "arm"
  | "dialect"
  | "task"
  | "inputs"
  | "priceVersion"
  | "fingerprint"
  | "lease"
  | "idempotency"
> & {
  /** The fence: 1 for a request's first attempt, one more for each takeover. A row is changed only by the epoch that put it. */
  readonly epoch: number;
  /** From now on; when it is over and nobody has settled, the sealer expires the row: billed as far as it was checkpointed, or not at all. */
  readonly expiresInMs: number;
};

/**
 * Counts that a stream may have delivered once a checkpoint is durable; an upper bound, at most a checkpoint's step above the truth.
 * Who serves, and what it has read, is known when there are output tokens.
 */
export type Checkpoint = Pick<UsageRow, "outputTokens"> &
  Partial<Pick<UsageRow, "servedVersion" | "tier" | "inputTokens" | "computeMs">> & {
    /** From now on, as in `Reservation`. */
    readonly expiresInMs: number;
  };

/** A pending row in the hands of the attempt that put it; every step is conditional on that (`st` P and the same epoch). */
export type ReservedRow = {
  /**
   * Resolves once it is durable: what it covers may leave only then. Fails with `unavailable` if it is not, or if the row is no longer ours.
   * Counts never fall; the same ones again put off the row's expiry.
   */
  readonly checkpoint: (progress: Checkpoint, timeoutMs: number) => Promise<void>;
  /**
   * Settles with the final quantities, before the last piece or the whole body leaves.
   * Fails with `unavailable` when the store did not acknowledge in time, or another has settled or voided the row: then nothing may be answered from this work.
   */
  readonly settle: (row: UsageRow, timeoutMs: number) => Promise<void>;
  /** Gives the row up, unbilled: nothing was delivered. Never fails, and says whether it is known to be unbilled: what cannot be written expires. */
  readonly void: () => Promise<boolean>;
  /**
   * Gives the row up unless it turns out to be settled: then it stays billed, because its answer is kept, and a retry with its Idempotency-Key gets it.
   * (A marker that lands after such a replay would leave an answer unbilled.) Never fails, and says whether it is known to be unbilled.
   */
  readonly release: () => Promise<boolean>;
};

export type UsageReader = {
  /** Adds up a tenant's rows accepted in [fromMs, toMs); void rows and voided ones do not count. */
  readonly read: (tenant: string, range: { fromMs: number; toMs: number }) => Promise<UsageSum[]>;
};
