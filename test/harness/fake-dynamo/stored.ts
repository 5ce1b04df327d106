import { DynamoRefusal } from "../../../shared/dynamo/lean-client.ts";
import type { TableShape } from "../../../shared/dynamo/tables.ts";
import { type Item, kindOf, type Value } from "./values.ts";

type Version = { readonly atMs: number; readonly item: Item | undefined };

/** Items with their past, so that a read may be late. */
export type Stored = {
  readonly now: (shape: TableShape, key: Item) => Item | undefined;
  readonly asOf: (shape: TableShape, key: Item, atMs: number) => Item | undefined;
  readonly write: (shape: TableShape, item: Item, at: { readonly atMs: number; readonly isGone: boolean }) => void;
  /** The items of one partition as they were, in the order of their sort keys. */
  readonly partition: (shape: TableShape, partitionKey: string, atMs: number) => readonly Item[];
  readonly all: (table: string) => readonly Item[];
};

const ITEM_BYTES_MAX = 400 * 1024;

export function createTables(): Stored {
  const tables = new Map<string, Map<string, Map<string, Version[]>>>();
  const versionsOf = (shape: TableShape, key: Item) => {
    const table = gotten(tables, shape.name, () => new Map<string, Map<string, Version[]>>());
    const partition = gotten(table, keyText(key, shape.partitionKey), () => new Map<string, Version[]>());
    return gotten(partition, shape.sortKey === undefined ? "" : keyText(key, shape.sortKey), (): Version[] => []);
  };
  return {
    now: (shape, key) => versionsOf(shape, key).at(-1)?.item,
    asOf: (shape, key, atMs) => itemAt(versionsOf(shape, key), atMs),
    write(shape, item, { atMs, isGone }) {
      assertStorable(item);
      versionsOf(shape, item).push({ atMs, item: isGone ? undefined : item });
    },
    partition(shape, partitionKey, atMs) {
      const partition = tables.get(shape.name)?.get(partitionKey) ?? new Map<string, Version[]>();
      const sorted = [...partition].sort(([a], [b]) => (a < b ? -1 : 1));
      return sorted.map(([, versions]) => itemAt(versions, atMs)).filter((item) => item !== undefined);
    },
    all(table) {
      const partitions = [...(tables.get(table) ?? new Map<string, Map<string, Version[]>>()).values()];
      return partitions.flatMap((each) => [...each.values()].map((versions) => versions.at(-1)?.item)).filter((item) => item !== undefined);
    },
  };
}

function itemAt(versions: readonly Version[], atMs: number): Item | undefined {
  return versions.findLast((version) => version.atMs <= atMs)?.item;
}

function gotten<T>(map: Map<string, T>, key: string, make: () => T): T {
  const there = map.get(key);
  if (there !== undefined) return there;
  const made = make();
  map.set(key, made);
  return made;
}

function keyText(key: Item, name: string): string {
  const value: Value | undefined = key[name];
  if (value === undefined || !("S" in value) || value.S === "") throw new DynamoRefusal("ValidationException", `the key has no ${name}`);
  return value.S;
}

function assertStorable(item: Item) {
  for (const value of Object.values(item)) {
    kindOf(value);
    if ("SS" in value && value.SS.length === 0) throw new DynamoRefusal("ValidationException", "a set may not be empty");
  }
  if (JSON.stringify(item).length > ITEM_BYTES_MAX)
    throw new DynamoRefusal("ValidationException", "Item size has exceeded the maximum allowed size");
}
