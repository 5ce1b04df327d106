import type { Bucket, Period, TimeRange } from "../period.ts";
import type { UsageRow } from "../row.ts";
import type { LeaseUse, Seal, SealedSum, TenantBucket } from "./seal.ts";

/**
 * How much of a stretch of time is closed, in buckets (minutes × shards): missing data is visible, not zero. `sealed === of` means that every
 * row is in the figures; `audited === of` that each bucket was read again at least a day later, which is what invoices want.
 */
export type Completeness = { readonly sealed: number; readonly audited: number; readonly of: number };

/** A tenant's absolute figures of an hour, day or month, recomputed from the highest revisions of its seals. */
export type Total = {
  readonly tenant: string;
  readonly period: Period;
  readonly sums: readonly SealedSum[];
  /** For each model, how many seconds had how many requests; silent seconds are the rest of the period. Exact, whatever the shards. */
  readonly seconds: readonly ModelSeconds[];
};

export type ModelSeconds = {
  readonly model: string;
  /** `[requests in the second, number of such seconds]`, by rising requests, none of them 0. */
  readonly histogram: readonly (readonly [requests: number, seconds: number])[];
};

/** Ranges are taken whole: the minutes, hours, days or months that they touch. */
export type SealReader = {
  readonly completeness: (range: TimeRange) => Promise<Completeness>;
  /** The completeness of each hour of a range, in order. */
  readonly hours: (range: TimeRange) => Promise<readonly (Completeness & { readonly hour: string })[]>;
  /** The first bucket of a range that is not sealed yet; undefined when all are. */
  readonly firstUnsealed: (range: TimeRange) => Promise<Bucket | undefined>;
  /** The valid seal of every bucket that holds rows, by minute and shard. Memory holds one hour's list and one seal. */
  readonly seals: (range: TimeRange) => AsyncIterable<Seal>;
  /** A tenant's parts of them, in the same order. Hours without the tenant are passed over. */
  readonly ofTenant: (tenant: string, range: TimeRange) => AsyncIterable<TenantBucket>;
  /** What a tenant's leases have used by the seals of a range, and whether these are all: a lease is returned exactly when they are. */
  readonly leases: (
    tenant: string,
    range: TimeRange,
  ) => Promise<{ readonly completeness: Completeness; readonly uses: readonly LeaseUse[] }>;
};

export type TotalReader = {
  /** A tenant's totals of the periods of a kind that a range touches, in order; periods without any of its rows are absent. */
  readonly totals: (tenant: string, kind: Period["kind"], range: TimeRange) => AsyncIterable<Total>;
};

/** Rows as they are billed. */
export type RowReader = {
  /**
   * Every billed row of a tenant in a range, by minute, shard and key; memory holds one page of the store.
   * Throws at the end of a bucket whose rows are not those of its seal: what was taken from it must then be thrown away.
   */
  readonly rows: (tenant: string, range: TimeRange) => AsyncIterable<UsageRow>;
};
