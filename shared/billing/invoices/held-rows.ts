import { acceptedAtMsOf } from "../../base/id.ts";
import { minuteOf, type UsageRow } from "../../usage/row.ts";
import type { TenantBucket, TenantSeal } from "../../usage/seals/seal.ts";
import { startSeal } from "../../usage/seals/seal-builder.ts";
import { canonicalJson } from "../canonical-json.ts";
import { rangeOfMonth } from "../month.ts";
import type { InvoiceDocument } from "./invoice-document.ts";
import { createSealsDigest } from "./seals-digest.ts";

/** Exported rows and the seals that they are held against, each in its order: by minute, shard and key. */
export type Held = {
  readonly document: Pick<InvoiceDocument, "month" | "buyer">;
  readonly seals: AsyncIterable<TenantBucket>;
  readonly rows: AsyncIterable<UsageRow>;
};

export type SealsFound = ReturnType<ReturnType<typeof createSealsDigest>["finish"]>;

export type Walk = {
  /** Each row once; one at a time is in memory. */
  readonly rows: AsyncIterable<UsageRow>;
  /** So far. */
  readonly bucketCount: () => number;
  /** What the seals come to, after the last row; undefined if the walk broke off. */
  readonly found: () => SealsFound | undefined;
};

/**
 * Walks through an export's rows and says of each bucket whether it is as it was sealed: `differs` is told the first thing that is wrong with it, and
 * may throw. Where rows are lacking, doubled or another's, all that follow would be taken for those of other buckets: there the walk breaks off.
 */
export function walkRows(held: Held, differs: (what: string) => void): Walk {
  const digest = createSealsDigest();
  let count = 0;
  let found: SealsFound | undefined;
  async function* walk(): AsyncGenerator<UsageRow> {
    const source = held.rows[Symbol.asyncIterator]();
    try {
      let before: TenantBucket | undefined;
      for await (const bucket of held.seals) {
        const misplaced = placeProblem(bucket, before, held.document.month);
        if (misplaced !== undefined) return differs(misplaced);
        before = bucket;
        count += 1;
        digest.add(bucket);
        if (!(yield* rowsOf(bucket, source, { tenant: held.document.buyer.tenant, differs }))) return;
      }
      const left = await source.next();
      if (!left.done) return differs(`the row ${left.value.requestId} follows the last seal: no seal speaks of it`);
      found = digest.finish();
    } finally {
      await source.return?.();
    }
  }
  return { rows: walk(), bucketCount: () => count, found: () => found };
}

type Told = { readonly tenant: string; readonly differs: (what: string) => void };

/** A bucket's rows; false if the walk cannot go on behind it. */
async function* rowsOf(
  bucket: TenantBucket,
  source: AsyncIterator<UsageRow>,
  { tenant, differs }: Told,
): AsyncGenerator<UsageRow, boolean> {
  const seal = startSeal();
  let before = "";
  for (let place = 0; place < bucket.tenant.rowCount; place += 1) {
    const next = await source.next();
    const problem = next.done ? "the rows end" : rowProblem(next.value, { minute: bucket.minute, tenant, before });
    if (next.done || problem !== undefined) {
      differs(`${nameOf(bucket)}, after ${place} of its ${bucket.tenant.rowCount} rows: ${problem}`);
      return false;
    }
    before = next.value.requestId;
    seal.add(next.value);
    yield next.value;
  }
  const problem = sealProblem(bucket.tenant, seal.finish().tenants[0]);
  if (problem !== undefined) differs(`${nameOf(bucket)}: ${problem}`);
  return true;
}

function placeProblem(bucket: TenantBucket, before: TenantBucket | undefined, month: string): string | undefined {
  const { fromMs, toMs } = rangeOfMonth(month);
  const atMs = Date.parse(`${bucket.minute}:00.000Z`);
  if (!(atMs >= fromMs && atMs < toMs)) return `the seal of ${nameOf(bucket)} is not of ${month}`;
  if (before === undefined) return undefined;
  const isLater = bucket.minute > before.minute || (bucket.minute === before.minute && bucket.shard > before.shard);
  return isLater ? undefined : `the seal of ${nameOf(bucket)} follows that of ${nameOf(before)}: each stands once, in its place`;
}

/** The form of a UUIDv7: its first 48 bits are an instant. */
const REQUEST_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;

type Wanted = { readonly minute: string; readonly tenant: string; readonly before: string };

function rowProblem({ requestId, tenant }: UsageRow, wanted: Wanted): string | undefined {
  if (!REQUEST_ID.test(requestId)) return `the row '${requestId.slice(0, 100)}' has no request's id`;
  if (tenant !== wanted.tenant) return `the row ${requestId} is another tenant's`;
  if (requestId === wanted.before) return `the row ${requestId} comes twice`;
  const minute = minuteOf(acceptedAtMsOf(requestId));
  if (minute > wanted.minute) return `rows are missing; the next one, ${requestId}, is of ${minute}`;
  if (minute < wanted.minute) return `the row ${requestId} is of ${minute}: it comes twice, or in another place`;
  return requestId < wanted.before ? `the row ${requestId} comes after ${wanted.before}` : undefined;
}

/** The first thing in which a seal is not what its rows come to. */
function sealProblem(sealed: TenantSeal, made: TenantSeal | undefined): string | undefined {
  if (sealed.digest !== (made?.digest ?? ""))
    return `its rows are not those that were sealed: their digest is ${made?.digest ?? "none"}, not ${sealed.digest.slice(0, 64)}`;
  const parts = ["tenant", "rowCount", "sums", "leases", "perSecond"] as const;
  const differing = made && parts.find((part) => canonicalJson(made[part]) !== canonicalJson(sealed[part]));
  return differing === undefined ? undefined : `its ${differing} are not what its rows come to, which are those that were sealed`;
}

function nameOf({ minute, shard }: TenantBucket): string {
  return `${minute}#${shard}`;
}
