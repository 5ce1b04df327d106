import type { LeanDynamo } from "../../dynamo/lean-client.ts";
import type { TimeRange } from "../period.ts";
import type { UsageRow } from "../row.ts";
import type { TenantBucket } from "../seals/seal.ts";
import { startTenantDigest } from "../seals/seal-builder.ts";
import type { RowReader, SealReader } from "../seals/sealed.ts";
import { type BucketEntry, bucketEntries } from "./bucket-rows.dynamo.ts";

/** Buckets whose first page is asked for before it is wanted, as long as they hold no more rows than that together: as the store answers them, a row takes 3 KB. */
const BUCKETS_AHEAD = 8;
const ROWS_AHEAD = 1_000;
const PAGE_ROWS = 500;

type Source = { readonly lean: LeanDynamo; readonly tablePrefix: string; readonly seals: Pick<SealReader, "ofTenant"> };
type Opened = {
  readonly bucket: TenantBucket;
  readonly pages: AsyncGenerator<readonly BucketEntry[]>;
  readonly first: Promise<IteratorResult<readonly BucketEntry[]>>;
  readonly rowsAhead: number;
};

/** Rows straight from the ledger, each bucket held against its seal. */
export function createRowReader(source: Source): RowReader {
  return { rows: (tenant, range) => rows(source, tenant, range) };
}

async function* rows(source: Source, tenant: string, range: TimeRange): AsyncGenerator<UsageRow> {
  for await (const opened of openAhead(source, tenant, range)) {
    const check = startTenantDigest();
    let count = 0;
    for (let page = await opened.first; !page.done; page = await opened.pages.next()) {
      for (const entry of page.value) {
        if (entry.kind === "pending") throw differs(opened.bucket, "a row is pending");
        check.add(entry.row);
        count += 1;
        yield entry.row;
      }
    }
    const { rowCount, digest } = opened.bucket.tenant;
    if (count !== rowCount) throw differs(opened.bucket, `it holds ${count} rows, not ${rowCount}`);
    if (check.digest() !== digest) throw differs(opened.bucket, "its rows have another digest");
  }
}

async function* openAhead(source: Source, tenant: string, range: TimeRange): AsyncGenerator<Opened> {
  const waiting: Opened[] = [];
  let rowsAhead = 0;
  for await (const bucket of source.seals.ofTenant(tenant, range)) {
    const rows = Math.min(bucket.tenant.rowCount, PAGE_ROWS);
    // Room is made before the next page is asked for: until then it would be one too many.
    while (waiting.length >= BUCKETS_AHEAD || (waiting.length > 0 && rowsAhead + rows > ROWS_AHEAD)) {
      const next = waiting.shift();
      if (next === undefined) break;
      rowsAhead -= next.rowsAhead;
      yield next;
    }
    const pages = bucketEntries(source, bucket, { tenant, limit: PAGE_ROWS });
    const first = pages.next();
    first.catch(() => {}); // thrown where it is awaited
    waiting.push({ bucket, pages, first, rowsAhead: rows });
    rowsAhead += rows;
  }
  yield* waiting;
}

function differs({ minute, shard, revision, tenant }: TenantBucket, how: string): Error {
  return new Error(`minute ${minute} shard ${shard} of ${tenant.tenant} is not as seal revision ${revision} says: ${how}`);
}
