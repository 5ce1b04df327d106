import type { LeanDynamo, WireItem } from "../../dynamo/lean-client.ts";
import { endOfPrefix, queryPages } from "../../dynamo/query-pages.ts";
import { LEDGER, tableName } from "../../dynamo/tables.ts";
import type { Bucket } from "../period.ts";
import { bucketKey, type UsageRow } from "../row.ts";
import { type PendingRow, pendingRowOf, textOf, usageRowOf, VOID_SUFFIX } from "./wire-row.ts";

/** What a bucket holds, as far as money is concerned: void rows and voided ones are passed over. */
export type BucketEntry =
  | { readonly kind: "billed"; readonly row: UsageRow; readonly item: WireItem }
  | { readonly kind: "pending"; readonly row: PendingRow; readonly item: WireItem };

type Source = { readonly lean: LeanDynamo; readonly tablePrefix: string };

type View = {
  readonly tenant?: string;
  /** Items of one answer at most; the store's own bound is 1 MB, some 3,000 rows. */
  readonly limit?: number;
  /** Gets every item as it is stored, void ones and markers too. */
  readonly seen?: (items: readonly WireItem[]) => void;
};

/** Every item of a bucket as it is stored, void ones and markers too. */
export function bucketItems({ lean, tablePrefix }: Source, { minute, shard }: Bucket): AsyncGenerator<readonly WireItem[]> {
  return queryPages(lean, { table: tableName(tablePrefix, LEDGER), pk: bucketKey(minute, shard) });
}

/** The entries of a bucket, or of one tenant in it, in key order and read consistently, a page of the store at a time. */
export async function* bucketEntries(source: Source, bucket: Bucket, view: View = {}): AsyncGenerator<readonly BucketEntry[]> {
  const { tenant, limit, seen } = view;
  const prefix = `${tenant}#`;
  const pages = queryPages(source.lean, {
    table: tableName(source.tablePrefix, LEDGER),
    pk: bucketKey(bucket.minute, bucket.shard),
    ...(tenant === undefined ? {} : { between: [prefix, endOfPrefix(prefix)] as const }),
    ...(limit === undefined ? {} : { limit }),
  });
  let last: WireItem | undefined;
  for await (const page of pages) {
    seen?.(page);
    // A row's marker follows it immediately, so a row is known to be billed when the next item is seen.
    const items = last === undefined ? page : [last, ...page];
    last = items.at(-1);
    yield entriesOf(items.slice(0, -1), last);
  }
  if (last !== undefined) yield entriesOf([last], undefined);
}

function entriesOf(items: readonly WireItem[], next: WireItem | undefined): BucketEntry[] {
  return items.flatMap((item, place) => entryOf(item, items[place + 1] ?? next));
}

function entryOf(item: WireItem, next: WireItem | undefined): BucketEntry[] {
  const sk = textOf(item, "sk");
  if (sk.endsWith(VOID_SUFFIX)) return [];
  const isVoided = next !== undefined && textOf(next, "sk") === sk + VOID_SUFFIX;
  switch (textOf(item, "st")) {
    case "S":
      return isVoided ? [] : [{ kind: "billed", row: usageRowOf(item), item }];
    case "P":
      return [{ kind: "pending", row: pendingRowOf(item), item }];
    default:
      return [];
  }
}
