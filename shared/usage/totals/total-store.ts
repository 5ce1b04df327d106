import type { Period, PeriodKind, TimeRange } from "../period.ts";
import type { Total } from "../seals/sealed.ts";

/** A total and what it was made from: the number of seals that its hours' buckets have had, first and second ones. More are newer. */
export type StoredTotal = Total & { readonly changes: number };

export type TotalStore = {
  /** Puts a total unless one that knows of as many changes or more is there. */
  readonly put: (total: StoredTotal) => Promise<void>;
  readonly get: (tenant: string, period: Period) => Promise<StoredTotal | undefined>;
  /** Those of the periods of a kind that a range touches, in order. */
  readonly list: (tenant: string, kind: PeriodKind, range: TimeRange) => AsyncIterable<StoredTotal>;
};
