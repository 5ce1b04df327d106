import { createHash } from "node:crypto";
import type { TenantBucket } from "../../usage/seals/seal.ts";

/** One text over all of a tenant's buckets in a month, taken in their order: whoever has the seals, or makes them again from rows, gets the same. */
export function createSealsDigest() {
  const hash = createHash("sha256");
  const counts = { buckets: 0, revised: 0, rows: 0 };
  return {
    add({
      minute,
      shard,
      revision,
      tenant,
    }: Pick<TenantBucket, "minute" | "shard" | "revision"> & { tenant: Pick<TenantBucket["tenant"], "digest" | "rowCount"> }) {
      hash.update(`${minute}#${shard} ${revision} ${tenant.digest}\n`);
      counts.buckets += 1;
      counts.revised += revision > 1 ? 1 : 0;
      counts.rows += tenant.rowCount;
    },
    finish: () => ({ ...counts, sealsDigest: hash.digest("hex") }),
  };
}
