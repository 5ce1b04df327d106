import { type LeanDynamo, type WireItem, withLeanStore } from "./lean-client.ts";

const QUERY_TIMEOUT_MS = 5_000;

export type KeyQuery = {
  readonly table: string;
  readonly pk: string;
  /** Both ends belong to it; absent, the whole partition. */
  readonly between?: readonly [fromSk: string, toSk: string];
  /** Items of one answer at most; the store's own bound is 1 MB. */
  readonly limit?: number;
};

type Page = { readonly Items?: readonly WireItem[]; readonly LastEvaluatedKey?: WireItem };

/** A partition's items by key, one answer of the store at a time, read consistently. */
export async function* queryPages(lean: LeanDynamo, query: KeyQuery): AsyncGenerator<readonly WireItem[]> {
  let start: WireItem | undefined;
  do {
    const input = inputOf(query, start);
    const page: Page = await withLeanStore(() => lean.call<Page>("Query", input, QUERY_TIMEOUT_MS));
    if (page.Items !== undefined && page.Items.length > 0) yield page.Items;
    start = page.LastEvaluatedKey;
  } while (start !== undefined);
}

/** All of them at once: for lists that are bounded by what they hold. */
export async function queryAll(lean: LeanDynamo, query: KeyQuery): Promise<WireItem[]> {
  const items: WireItem[] = [];
  for await (const page of queryPages(lean, query)) items.push(...page);
  return items;
}

/** Sorts above every key that begins with the prefix, which are all ASCII. */
export function endOfPrefix(prefix: string): string {
  return `${prefix}~`;
}

function inputOf({ table, pk, between, limit }: KeyQuery, start: WireItem | undefined) {
  return {
    TableName: table,
    KeyConditionExpression: between === undefined ? "pk = :pk" : "pk = :pk AND sk BETWEEN :from AND :to",
    ExpressionAttributeValues: {
      ":pk": { S: pk },
      ...(between === undefined ? {} : { ":from": { S: between[0] }, ":to": { S: between[1] } }),
    },
    ConsistentRead: true,
    ...(limit === undefined ? {} : { Limit: limit }),
    ...(start === undefined ? {} : { ExclusiveStartKey: start }),
  };
}
