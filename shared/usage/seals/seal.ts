import type { Bucket } from "../period.ts";
import type { Tier, UsageRow } from "../row.ts";

/** Sums of rows; integers. */
export type Quantities = Pick<UsageRow, "inputs" | "inputTokens" | "outputTokens" | "computeMs"> & { readonly requests: number };

/** What rows of one tenant have in common when they are added up; `version` is the one that served. */
export type SumKey = {
  readonly model: string;
  readonly version: number;
  readonly arm: string;
  readonly tier: Tier;
  readonly priceVersion: number;
};
export type SealedSum = SumKey & Quantities;

export const SECONDS_PER_MINUTE = 60;

/** What a bucket holds of one tenant: so that a tenant can check its own part without seeing others'. */
export type TenantSeal = {
  readonly tenant: string;
  readonly rowCount: number;
  /** SHA-256, hexadecimal, over the texts of the tenant's rows in key order; see `rowText`. */
  readonly digest: string;
  readonly sums: readonly SealedSum[];
  /** What was used of each lease on the tenant's prepaid balance: enough to price it. */
  readonly leases: readonly LeaseUse[];
  /** Requests accepted in each of the minute's 60 seconds. */
  readonly perSecond: readonly { readonly model: string; readonly counts: readonly number[] }[];
};

export type LeaseUse = { readonly lease: string; readonly sums: readonly SealedSum[] };

/**
 * A closed minute and shard of the ledger. Revision 1 is put when nothing in it is pending any more, 2 if the re-audit a day later found it changed.
 * Only rows that are billed count: settled ones that no marker voids.
 */
export type Seal = Bucket & {
  readonly revision: number;
  readonly rowCount: number;
  /** SHA-256, hexadecimal, over the texts of all rows in key order. */
  readonly digest: string;
  readonly sealedAtMs: number;
  readonly tenants: readonly TenantSeal[];
};

/** A tenant's part of a seal, and which seal. */
export type TenantBucket = Bucket & { readonly revision: number; readonly tenant: TenantSeal };
