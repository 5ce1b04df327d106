import type { FakeDynamo, Written } from "../harness/fake-dynamo/fake-dynamo.ts";
import type { Item } from "../harness/fake-dynamo/values.ts";
import type { Attempt } from "./caller.ts";
import type { Given } from "./gifts.ts";
import { number, tenantOf, text } from "./ledger-items.ts";
import type { Plan } from "./plan.ts";
import { PREPAID } from "./seed-store.ts";

type Grant = { id: string; leftPico: string; expiresAtMs: number | null; priority: number };
type Lease = { id: string; expiresAtMs: number; draws: { grant: string; amountPico: string }[] };
type Balance = {
  grants: Grant[];
  leases: Lease[];
  hours: { hour: string }[];
  verdicts: { id: string; isApplied: boolean }[];
} & Record<"debtPico" | "grantedPico" | "spentPico" | "expiredPico", string>;

type State = { readonly atMs: number; readonly before: Balance | undefined; readonly after: Balance };

export type BalanceEvidence = {
  readonly rows: readonly Item[];
  readonly attempts: readonly Attempt[];
  readonly gifts: readonly Given[];
  readonly store: FakeDynamo;
  readonly plan: Plan;
};

/** Clocks that are trusted with credits are no further off. */
const CLOCK_MS_MAX = 60_000;
/** A refusal is remembered for a second, and says what was read some seconds before. */
const REMEMBERED_MS = 6_000;

/** What a prepaid balance has promised: computed from its item, version by version, with nothing of the product's. */
export function wrongBalances({ rows, attempts, gifts, store, plan }: BalanceEvidence): string[] {
  const states = store.journal.flatMap(stateOf);
  const own = rows.filter((row) => tenantOf(row) === PREPAID);
  return [
    ...states.flatMap(({ after }) => wrongSum(after)),
    ...states.flatMap(wrongStep),
    // Seals of a clock that is ahead and does not know it come before the rows: what was given back by them may be spent by then.
    ...(plan.sealersAheadMs > 0 ? [] : states.flatMap(({ after }) => overdrawn(after))),
    ...wrongEnd(states.at(-1)?.after, { own, store }),
    ...wrongLeases(states, own),
    ...attempts.filter(({ status, ending }) => status === 402 && ending === "refused").flatMap((attempt) => wrongRefusal(states, attempt)),
    ...gifts.flatMap((given) => wrongGift(given, store)),
  ];
}

function stateOf({ table, atMs, before, after }: Written): State[] {
  if (table !== "balances" || after === undefined || text(after, "pk") !== `balance#${PREPAID}`) return [];
  return [{ atMs, before: before && balanceIn(before), after: balanceIn(after) }];
}

function balanceIn(item: Item): Balance {
  return JSON.parse(text(item, "b")) as Balance; // as far as this needs it: the rest of the checks would fail
}

function wrongSum(balance: Balance): string[] {
  const accounted = leftOf(balance) + leasedOf(balance) + BigInt(balance.spentPico) + BigInt(balance.expiredPico);
  return accounted === BigInt(balance.grantedPico) ? [] : [`${balance.grantedPico} were granted, and ${accounted} are accounted for`];
}

function overdrawn(balance: Balance): string[] {
  return leftOf(balance) < 0n ? [`the balance is ${leftOf(balance)}`] : [];
}

/** What a write may not do to what was there: lose a lease that is not over, let credits expire early, or use them in the wrong order. */
function wrongStep({ atMs, before, after }: State): string[] {
  if (before === undefined) return [];
  const lost = before.leases.filter(({ id }) => !after.leases.some((lease) => lease.id === id));
  const isOver = ({ expiresAtMs }: Pick<Grant, "expiresAtMs">) => expiresAtMs !== null && expiresAtMs <= atMs + CLOCK_MS_MAX;
  const hasExpired = BigInt(after.expiredPico) > BigInt(before.expiredPico);
  return [
    ...lost.filter((lease) => !isOver(lease)).map(({ id }) => `the lease ${id} was lost`),
    ...(hasExpired && !before.grants.some(isOver) ? ["credits have expired before their time"] : []),
    ...(BigInt(after.spentPico) < BigInt(before.spentPico) && after.hours.length === before.hours.length
      ? ["something is no longer spent"]
      : []),
    ...after.leases.flatMap((lease) => wrongDraws({ lease, was: before.leases.find(({ id }) => id === lease.id), atMs, after })),
  ];
}

type Drawn = { readonly lease: Lease; readonly was: Lease | undefined; readonly atMs: number; readonly after: Balance };

/** Whoever draws from one grant has left nothing in those that come before it. */
function wrongDraws({ lease, was, atMs, after }: Drawn): string[] {
  const drawnOf = (draws: Lease["draws"] = []) => new Map(draws.map(({ grant, amountPico }) => [grant, BigInt(amountPico)]));
  const [now, earlier] = [drawnOf(lease.draws), drawnOf(was?.draws)];
  const isUsable = ({ leftPico, expiresAtMs }: Grant) =>
    BigInt(leftPico) > 0n && (expiresAtMs === null || expiresAtMs > atMs + CLOCK_MS_MAX);
  return [...now].flatMap(([grant, amount]) => {
    const from = after.grants.find(({ id }) => id === grant);
    if (amount <= (earlier.get(grant) ?? 0n) || from === undefined) return [];
    const passed = after.grants.filter((other) => isUsable(other) && isBefore(other, from));
    return passed.map(({ id }) => `credits of ${grant} were used although ${id} comes before it`);
  });
}

function isBefore(a: Grant, b: Grant): boolean {
  const endOf = ({ expiresAtMs }: Grant) => expiresAtMs ?? Number.MAX_SAFE_INTEGER;
  return a.priority < b.priority || (a.priority === b.priority && endOf(a) < endOf(b));
}

/** At the end nothing is in anybody's hands, what was spent is what rows cost, and what was granted is what the records say. */
function wrongEnd(last: Balance | undefined, { own, store }: { own: readonly Item[]; store: FakeDynamo }): string[] {
  if (last === undefined) return own.map((row) => `there is no balance, and a row ${text(row, "sk")}`);
  const costs = own.reduce((sum, row) => sum + costOf(row), 0n);
  const granted = creditsIn(store)
    .filter(({ id, state }) => state === "applied" || last.verdicts.some((verdict) => verdict.id === id && verdict.isApplied))
    .reduce((sum, { amountPico }) => sum + BigInt(amountPico), 0n);
  return [
    ...last.leases.map(({ id }) => `the lease ${id} was never settled`),
    ...last.hours.map(({ hour }) => `the leases of ${hour} were never read again`),
    ...(BigInt(last.spentPico) === costs ? [] : [`${last.spentPico} are spent, and the rows cost ${costs}`]),
    ...(BigInt(last.grantedPico) === granted ? [] : [`${last.grantedPico} are granted, and the credits are ${granted}`]),
  ];
}

/** Every row draws from a lease that was taken, and no lease pays for more than it has drawn. */
function wrongLeases(states: readonly State[], own: readonly Item[]): string[] {
  const drawn = new Map<string, bigint>();
  for (const { id, draws } of states.flatMap(({ after }) => after.leases)) {
    const amount = draws.reduce((sum, { amountPico }) => sum + BigInt(amountPico), 0n);
    if (amount > (drawn.get(id) ?? 0n)) drawn.set(id, amount);
  }
  return [...Map.groupBy(own, (row) => text(row, "ls"))].flatMap(([lease, rows]) => {
    const [most, costs] = [drawn.get(lease), rows.reduce((sum, row) => sum + costOf(row), 0n)];
    if (most === undefined) return [`${rows.length} rows draw from '${lease}', which nobody has taken`];
    return costs > most ? [`rows of the lease ${lease} cost ${costs}, and it has drawn ${most}`] : [];
  });
}

/** Nobody is refused while what it may cost is free all the time. */
function wrongRefusal(states: readonly State[], { text: answer, startedAtMs, endedAtMs }: Attempt): string[] {
  const costs = /may cost ([0-9.]+)/.exec(answer)?.[1];
  if (costs === undefined) return [`a refusal does not say what it is about: ${answer.slice(0, 200)}`];
  const fromMs = startedAtMs - REMEMBERED_MS;
  const meanwhile = states.filter(
    ({ atMs }, place) => atMs <= endedAtMs && (states[place + 1]?.atMs ?? Number.POSITIVE_INFINITY) >= fromMs,
  );
  const isFromStart = (states[0]?.atMs ?? Number.POSITIVE_INFINITY) <= fromMs;
  const isFree = ({ after }: State) => {
    const lasting = after.grants.filter(({ expiresAtMs }) => expiresAtMs === null || expiresAtMs > endedAtMs + CLOCK_MS_MAX);
    return leftOf({ ...after, grants: lasting }) >= picoOf(costs);
  };
  return isFromStart && meanwhile.every(isFree) ? [`a request that may cost ${costs} was refused although that was free`] : [];
}

function wrongGift({ gift, outcome }: Given, store: FakeDynamo): string[] {
  const record = creditsIn(store).find(({ id }) => id === gift.id);
  if (outcome === "given" && record?.state !== "applied") return [`the credit ${gift.id} was given, and is ${record?.state}`];
  // Whoever hears that it was refused gives it once more, by another id.
  return outcome === "refused" && record?.state === "applied" ? [`the credit ${gift.id} was refused, and is applied`] : [];
}

type Credit = { readonly id: string; readonly amountPico: string; readonly state: string };

/** The last word of each record. */
function creditsIn(store: FakeDynamo): Credit[] {
  const last = new Map<string, Item>();
  for (const item of store.items("control").filter((each) => text(each, "pk").startsWith("credit#"))) {
    const known = last.get(text(item, "pk"));
    if (known === undefined || number(known, "n") < number(item, "n")) last.set(text(item, "pk"), item);
  }
  return [...last.values()].map((item) => JSON.parse(text(item, "body")) as Credit); // as far as this needs it
}

/** The flat book's prices, by hand: 0.0137 a request, 0.11 and 1.3 a thousand tokens, 0.0000001 a millisecond. */
function costOf(row: Item): bigint {
  const [input, output, ms] = ["ti", "to", "ms"].map((name) => BigInt(number(row, name)));
  return 13_700_000_000n + 110_000_000n * (input ?? 0n) + 1_300_000_000n * (output ?? 0n) + 100_000n * (ms ?? 0n);
}

function picoOf(decimal: string): bigint {
  const [whole = "0", part = ""] = decimal.split(".");
  return BigInt(whole + part.padEnd(12, "0"));
}

function leftOf({ grants, debtPico }: Pick<Balance, "grants" | "debtPico">): bigint {
  return grants.reduce((sum, { leftPico }) => sum + BigInt(leftPico), 0n) - BigInt(debtPico);
}

function leasedOf({ leases }: Balance): bigint {
  return leases.flatMap(({ draws }) => draws).reduce((sum, { amountPico }) => sum + BigInt(amountPico), 0n);
}
