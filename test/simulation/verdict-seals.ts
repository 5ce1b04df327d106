import type { FakeDynamo, Written } from "../harness/fake-dynamo/fake-dynamo.ts";
import type { Item } from "../harness/fake-dynamo/values.ts";
import { addressOf, number, text } from "./ledger-items.ts";

/** What seals and what is made of them have promised, write by write. */
export function wrongSeals({ journal }: FakeDynamo): string[] {
  const writes = journal.filter(({ table }) => table === "seals");
  return [...editedSeals(writes), ...forgetfulSeals(writes), ...overstated(writes)];
}

/** A seal is put once, and so is the time of its re-audit. */
function editedSeals(writes: readonly Written[]): string[] {
  return writes.flatMap(({ step, before = {}, after = {} }) => {
    const edited = headsIn(before).filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
    return edited.map((name) => `${name} of the seals at ${addressOf(before)} was changed by ${step}`);
  });
}

/** What is known of an hour or a total never becomes less, nor does the frontier go back. */
function forgetfulSeals(writes: readonly Written[]): string[] {
  const isLess = (before: Item, after: Item) => number(after, "n") < number(before, "n") || text(after, "next") < text(before, "next");
  const hasMoved = (before: Item, after: Item) => text(before, "first") !== text(after, "first");
  return writes.flatMap(({ step, before, after }) => {
    if (before === undefined || after === undefined) return [];
    return isLess(before, after) || hasMoved(before, after) ? [`${addressOf(before)} knows less after ${step}`] : [];
  });
}

/** An hour is said to be as far as its buckets are, at most. */
function overstated(writes: readonly Written[]): string[] {
  const counts = new Map<string, { sealed: number; audited: number }>();
  return writes.flatMap(({ before = {}, after = {} }) => {
    const [kind, hour = ""] = text(after, "pk").split("#");
    if (kind === "h") {
      const known = counts.get(hour) ?? { sealed: 0, audited: 0 };
      counts.set(hour, known);
      const added = headsIn(after).filter((name) => before[name] === undefined);
      known.sealed += added.filter((name) => name.startsWith("r1.")).length;
      known.audited += added.filter((name) => name.startsWith("a.")).length;
    }
    if (kind !== "hours") return [];
    const { sealed, audited } = counts.get(text(after, "sk")) ?? { sealed: 0, audited: 0 };
    const isSo = number(after, "sd") <= sealed && number(after, "au") <= audited;
    return isSo ? [] : [`of ${text(after, "sk")} ${number(after, "sd")} buckets are said to be sealed and ${number(after, "au")} audited`];
  });
}

function headsIn(item: Item): string[] {
  return Object.keys(item).filter((name) => /^(r\d+|a)\.\d+$/.test(name));
}
