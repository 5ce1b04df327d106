import type { FakeDynamo } from "../harness/fake-dynamo/fake-dynamo.ts";
import type { Item } from "../harness/fake-dynamo/values.ts";
import { type Attempt, fingerprintOf } from "./caller.ts";

type Evidence = { readonly attempts: readonly Attempt[]; readonly store: FakeDynamo };

/** Every promise that a history has broken, in words; none, if all were kept. */
export function violationsOf(evidence: Evidence): string[] {
  const billed = billedRows(evidence.store);
  return [...evidence.attempts.flatMap((attempt) => wrongBillsOf(attempt, billed)), ...editedRows(evidence.store)];
}

/** Settled rows that no marker voids, by the fingerprint of their request. */
function billedRows(store: FakeDynamo): Map<string, Item[]> {
  const items = store.items("ledger");
  const keys = new Set(items.map(addressOf));
  const rows = new Map<string, Item[]>();
  for (const item of items) {
    if (text(item, "st") !== "S" || keys.has(`${addressOf(item)}#V`)) continue;
    rows.set(text(item, "h"), [...(rows.get(text(item, "h")) ?? []), item]);
  }
  return rows;
}

function wrongBillsOf(attempt: Attempt, billed: ReadonlyMap<string, readonly Item[]>): string[] {
  const count = billed.get(fingerprintOf(attempt.order))?.length ?? 0;
  const what = `${attempt.order.isStream ? "stream" : "request"} ${attempt.order.body}`;
  if (attempt.ending === "answered" && count !== 1) return [`${what} was answered and has ${count} billing rows`];
  if (attempt.ending === "refused" && count !== 0) return [`${what} was refused with ${attempt.status} and has ${count} billing rows`];
  return count > 1 ? [`${what} ended as ${attempt.ending} and has ${count} billing rows`] : [];
}

/** A settled row is final: nothing may write over it but the very same put. */
function editedRows({ journal }: FakeDynamo): string[] {
  return journal
    .filter(({ table, before }) => table === "ledger" && before !== undefined && text(before, "st") === "S")
    .map(({ step, before }) => `the settled row ${addressOf(before ?? {})} was changed by ${step}`);
}

export function addressOf(item: Item): string {
  return `${text(item, "pk")} ${text(item, "sk")}`;
}

export function text(item: Item, name: string): string {
  const value = item[name];
  return value !== undefined && "S" in value ? value.S : "";
}
