import { Failure } from "../../shared/base/failure.ts";
import { Balance, type BalanceStore, EMPTY_BALANCE, type StoredBalance } from "../../shared/billing/balances/balance.ts";
import type { Revision, RevisionLog } from "../../shared/dynamo/revision-log.ts";

/** What becomes of a write: done, done without an acknowledgement, or lost on its way. */
export type Fate = "done" | "unacknowledged" | "lost";

/** Balances in memory, with the rules of the store and the fates that a test says. */
export type MemoryBalances = BalanceStore & { readonly peek: (tenant: string) => Balance; readonly writeCount: () => number };

export function createMemoryBalances(fateOf: () => Fate = () => "done"): MemoryBalances {
  const items = new Map<string, StoredBalance>();
  let writes = 0;
  const read = (tenant: string) => items.get(tenant) ?? { balance: EMPTY_BALANCE, version: 0 };
  return {
    peek: (tenant) => read(tenant).balance,
    writeCount: () => writes,
    read: async (tenant) => read(tenant),
    write: async (tenant, { balance, version }) => {
      const fate = fateOf();
      writes += 1;
      if (fate === "lost") throw unavailable();
      const isUnchanged = read(tenant).version === version;
      // Through its JSON, as the store would: what a schema refuses must not be written.
      if (isUnchanged)
        items.set(tenant, { balance: Balance.parse(JSON.parse(JSON.stringify(Balance.encode({ ...balance })))), version: version + 1 });
      if (fate === "unacknowledged") throw unavailable();
      return isUnchanged;
    },
  };
}

/** A revision log in memory: `append` and `current` only. */
export function createMemoryLog<T>(fateOf: () => Fate = () => "done"): RevisionLog<T> {
  const logs = new Map<string, Revision<T>[]>();
  const missing = () => Promise.reject(new Error("this log in memory does not list"));
  return {
    current: async (id) => logs.get(id)?.at(-1),
    append: async (id, after, { body, change: { by, why, atMs } }) => {
      const fate = fateOf();
      if (fate === "lost") throw unavailable();
      const revisions = logs.get(id) ?? [];
      if (revisions.length !== after) throw new Failure("conflict", "somebody else was faster");
      const revision = { revision: after + 1, body, by, why, at: new Date(atMs).toISOString() };
      logs.set(id, [...revisions, revision]);
      if (fate === "unacknowledged") throw unavailable();
      return revision;
    },
    history: missing,
    list: missing,
    count: missing,
    listPartition: missing,
  };
}

function unavailable() {
  return new Failure("unavailable", "The store did not answer in time. Try again.");
}
