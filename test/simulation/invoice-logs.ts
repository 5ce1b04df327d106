import type { FakeDynamo } from "../harness/fake-dynamo/fake-dynamo.ts";
import type { Item } from "../harness/fake-dynamo/values.ts";
import { number, text } from "./ledger-items.ts";

export type Totals = { readonly netMinor: string; readonly taxMinor: string; readonly totalMinor: string };
export type Credit = { readonly id: string; readonly amountMinor: string; readonly taxMinor: string };
export type Invoice = {
  readonly id: string;
  readonly state: string;
  readonly totals: Totals;
  readonly adjustments: readonly { readonly id: string; readonly amountMinor: string }[];
  readonly issue?: {
    readonly number: number;
    readonly name: string;
    readonly documents: Readonly<Record<string, { readonly key: string; readonly sha256: string }>>;
  };
  readonly credits?: readonly Credit[];
  readonly payment?: { readonly reference: string };
  readonly replaces?: { readonly id: string };
  readonly replacedBy?: { readonly id: string };
};
export type Note = {
  readonly id: string;
  readonly invoice: string;
  readonly state: string;
  readonly credit?: Credit;
  readonly number?: number;
};
export type Replacement = { readonly id: string; readonly state: string; readonly replaces: { readonly id: string } };

/** What each invoice was, by its id, from its first revision on; as far as a verdict needs it. */
export function invoicesIn(store: FakeDynamo): ReadonlyMap<string, readonly Invoice[]> {
  return logsOf(store, "invoice#") as ReadonlyMap<string, readonly Invoice[]>;
}

export function notesIn(store: FakeDynamo): readonly Note[] {
  return [...logsOf(store, "credit-note#").values()].map((log) => log.at(-1) as Note); // no log is empty
}

export function replacementsIn(store: FakeDynamo): readonly Replacement[] {
  return [...logsOf(store, "replacement#").values()].map((log) => log.at(-1) as Replacement); // no log is empty
}

function logsOf(store: FakeDynamo, prefix: string): ReadonlyMap<string, readonly unknown[]> {
  const isOf = (item: Item) => text(item, "pk").startsWith(prefix) && text(item, "sk").startsWith("r#");
  const items = store.items("control").filter(isOf);
  const byId = Map.groupBy(items, (item) => text(item, "pk").slice(prefix.length));
  const bodies = (log: readonly Item[]) =>
    [...log].sort((a, b) => number(a, "n") - number(b, "n")).map((item) => JSON.parse(text(item, "body")));
  return new Map([...byId].map(([id, log]) => [id, bodies(log)]));
}
