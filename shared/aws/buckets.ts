/** The buckets of an installation, and the folders in each: whoever makes them, grants them or says what lies there takes the names from here. */
export const BUCKETS = {
  /** `incoming`: uploads. `blobs` and `manifests`: what intake has checked; shared/models/version.ts makes the keys. */
  models: ["incoming", "blobs", "manifests"],
  /** `bodies`: answers that wait for a retry. `invoices`: documents. */
  records: ["bodies", "invoices"],
} as const;

export type Folder<Bucket extends keyof typeof BUCKETS> = (typeof BUCKETS)[Bucket][number];
