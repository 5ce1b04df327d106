import type { FakeDynamo } from "../harness/fake-dynamo/fake-dynamo.ts";
import type { Item } from "../harness/fake-dynamo/values.ts";

/** Settled rows that no marker voids: what is billed. */
export function billedRows(store: FakeDynamo): readonly Item[] {
  const items = store.items("ledger");
  const keys = new Set(items.map(addressOf));
  return items.filter((item) => text(item, "st") === "S" && !keys.has(`${addressOf(item)}#V`));
}

export function tenantOf(row: Item): string {
  return text(row, "sk").split("#")[0] ?? "";
}

/** Such as `2026-11`, by the instant that its request was accepted at. */
export function monthOf(row: Item): string {
  return new Date(number(row, "a")).toISOString().slice(0, 7);
}

export function addressOf(item: Item): string {
  return `${text(item, "pk")} ${text(item, "sk")}`;
}

export function text(item: Item, name: string): string {
  const value = item[name];
  return value !== undefined && "S" in value ? value.S : "";
}

export function number(item: Item, name: string): number {
  const value = item[name];
  return value !== undefined && "N" in value ? Number(value.N) : 0;
}
