import { LRUCache } from "lru-cache";
import type { Clock } from "../../base/clock.ts";
import { Failure } from "../../base/failure.ts";
import type { Ids } from "../../base/id.ts";
import { runBounded } from "../../models/run-bounded.ts";
import { printPico } from "../money.ts";
import type { BalanceStore } from "./balance.ts";
import { changeBalance } from "./change-balance.ts";
import { bookOfLease, closeLease, leaseIdOf, type Taken, takeLease, trimLease } from "./leases.ts";

/** Requests' worth of credits that a process takes at once: more when they are used up fast, fewer when slowly. */
const AHEAD = { least: 4, most: 1_024 } as const;
const FAST_MS = 2_000;
const SLOW_MS = 20_000;
/** While less than this share of what was taken last is left, the next credits are fetched in the background. */
const REFILL_AT = 4n;
/** A process that has not served a tenant for this long returns its credits. */
export const IDLE_MS = 30_000;
/** A refusal is known for this long without asking again. */
const REFUSED_MS = 1_000;
/** A request's row lies in the minute it was accepted in; one that waited longer than this for its credits may not use them. */
export const ACCEPTED_BEFORE_MS_MAX = 120_000;
const ACCOUNTS_MAX = 10_000;
/** Balances that are changed at once when many are idle together: requests use the same connections to the store. */
const RETURNS_AT_ONCE = 4;
const TURNS_MAX = 10;

/** What a request may cost, until it is known. */
export type Hold = {
  /** For the row: the lease that pays for it. */
  readonly lease: string;
  /** The row is durable; this is what it costs. */
  readonly settle: (costPico: bigint) => void;
  /** There is no row that is billed. */
  readonly release: () => void;
  /** Nobody knows what became of the row: it counts as the most that it can cost until the sealed rows tell. */
  readonly keep: () => void;
};

/** Spends prepaid balances in this process, from leases: no write per request. */
export type Spender = {
  /** Sets aside what a request costs at most. Fails with `insufficient_funds`, before any work is done. */
  readonly hold: (request: Request & { readonly tenant: string }) => Promise<Hold>;
  /** Returns what idle tenants do not use; for a timer. */
  readonly tidy: () => Promise<void>;
  /** Returns everything that no running request needs: for shutdown. */
  readonly drain: () => Promise<void>;
};

export type Request = {
  readonly acceptedAtMs: number;
  /** The price book that the request's row is rated by; a lease pays for rows of one book only. */
  readonly book: string;
  readonly mostPico: bigint;
};

export type SpenderSettings = { readonly store: BalanceStore; readonly clock: Clock; readonly ids: Ids; readonly lessee: string };
type Purse = {
  readonly lease: string;
  takes: number;
  drawnPico: bigint;
  spentPico: bigint;
  heldPico: bigint;
  inFlight: number;
  expiresAtMs: number;
  isRetired: boolean;
};
type Account = {
  readonly tenant: string;
  purse: Purse | undefined;
  ahead: number;
  refilledAtMs: number;
  lastHoldAtMs: number;
  refused: { readonly freePico: bigint; readonly untilMs: number } | undefined;
  refill: Promise<void> | undefined;
};

export function createSpender(settings: SpenderSettings): Spender {
  // What falls out of this cache is returned like an idle account's.
  // Bounded by size: `max` would allocate all places when the process starts.
  const accounts = new LRUCache<string, Account>({
    maxSize: ACCOUNTS_MAX,
    sizeCalculation: () => 1,
    dispose: (account) => void retire(settings, account),
  });
  // One for each book: a change of a tenant's book spreads from key to key, and a lease that each request took from the other would fill the balance with leases.
  const accountOf = ({ tenant, book }: Parameters<Spender["hold"]>[0]) => {
    const key = `${tenant}\n${book}`;
    const known = accounts.get(key);
    if (known !== undefined) return known;
    const account = newAccount(tenant);
    accounts.set(key, account);
    return account;
  };
  const ofAll = (work: (account: Account) => Promise<void>) => runBounded([...accounts.values()], RETURNS_AT_ONCE, work);
  return {
    hold: (request) => hold(settings, accountOf(request), request),
    tidy: () => ofAll((account) => tidyOne(settings, account)),
    drain: () => ofAll((account) => retire(settings, account)),
  };
}

async function hold(settings: SpenderSettings, account: Account, { acceptedAtMs, book, mostPico }: Request): Promise<Hold> {
  const { clock } = settings;
  account.lastHoldAtMs = clock.nowMs();
  // Others who wait for the same credits may use them up first; each turn is one change of the balance.
  for (let turn = 0; turn < TURNS_MAX; turn += 1) {
    assertFresh(acceptedAtMs, clock.nowMs());
    const purse = usable(account, book, clock.nowMs());
    if (purse !== undefined && leftOf(purse) >= mostPico) {
      if (leftOf(purse) - mostPico < purse.drawnPico / (REFILL_AT * BigInt(purse.takes)))
        void refillQuietly(settings, account, { book, mostPico });
      return holdOn(settings, account, { purse, mostPico });
    }
    const need = { book, mostPico, missingPico: mostPico - (purse === undefined ? 0n : leftOf(purse)) };
    assertNotRefused(account, need, clock.nowMs());
    await refill(settings, account, need);
  }
  throw new Failure("overloaded", "Too many requests wait for this tenant's balance. Try again.", { retryAfterMs: 1_000 });
}

function holdOn(settings: SpenderSettings, account: Account, { purse, mostPico }: { purse: Purse; mostPico: bigint }): Hold {
  purse.heldPico += mostPico;
  purse.inFlight += 1;
  let isOpen = true;
  const end = (costPico: bigint) => {
    if (!isOpen) return;
    isOpen = false;
    purse.heldPico -= mostPico;
    purse.spentPico += costPico;
    purse.inFlight -= 1;
    if (purse.isRetired && purse.inFlight === 0) void close(settings, account.tenant, purse);
  };
  return { lease: purse.lease, settle: end, release: () => end(0n), keep: () => end(mostPico) };
}

type Need = { readonly book: string; readonly mostPico: bigint; readonly missingPico: bigint };

/** One at a time per tenant: whoever needs credits waits for the same ones. */
function refill(settings: SpenderSettings, account: Account, need: Need): Promise<void> {
  account.refill ??= take(settings, account, need).finally(() => {
    account.refill = undefined;
  });
  return account.refill;
}

/** Whoever needs the credits will see why there are none. */
async function refillQuietly(settings: SpenderSettings, account: Account, { book, mostPico }: Pick<Need, "book" | "mostPico">) {
  const isRefused = account.refused !== undefined && account.refused.untilMs > settings.clock.nowMs();
  if (account.refill === undefined && !isRefused)
    await refill(settings, account, { book, mostPico, missingPico: mostPico }).catch(() => {});
}

async function take(settings: SpenderSettings, account: Account, { book, mostPico, missingPico }: Need) {
  const { store, clock, ids, lessee } = settings;
  const nowMs = clock.nowMs();
  adapt(account, nowMs);
  const purse = usable(account, book, nowMs) ?? newPurse(leaseIdOf(ids.requestId(nowMs), book));
  const wantPico = mostPico * BigInt(account.ahead);
  const ask = { lease: purse.lease, lessee, take: purse.takes + 1, wantPico, leastPico: missingPico };
  const taken = await changeBalance(store, account.tenant, (balance) => takeLease(balance, { ...ask, nowMs: clock.nowMs() }));
  if (taken.kind === "taken" && account.purse !== purse) void retire(settings, account); // the one before is over
  accept(account, purse, { taken, nowMs: clock.nowMs() });
}

function accept(account: Account, purse: Purse, { taken, nowMs }: { taken: Taken; nowMs: number }) {
  switch (taken.kind) {
    case "taken":
      if (purse.isRetired) return; // it was let go meanwhile, and is closed with all that it has drawn
      purse.takes += 1;
      purse.drawnPico = taken.drawnPico;
      purse.expiresAtMs = taken.expiresAtMs;
      account.purse = purse;
      account.refused = undefined;
      return;
    case "insufficient":
      account.refused = { freePico: taken.freePico, untilMs: nowMs + REFUSED_MS };
      return;
    case "over":
      purse.expiresAtMs = 0;
      return;
    case "full":
      throw new Failure("overloaded", "Too many leases of this tenant's balance wait to be audited.", { retryAfterMs: 60_000 });
  }
}

/** Twice as far ahead when the last credits were gone at once, half as far when they lasted. */
function adapt(account: Account, nowMs: number) {
  const lastedMs = nowMs - account.refilledAtMs;
  if (lastedMs < FAST_MS) account.ahead = Math.min(AHEAD.most, account.ahead * 2);
  if (lastedMs > SLOW_MS) account.ahead = Math.max(AHEAD.least, Math.floor(account.ahead / 2));
  account.refilledAtMs = nowMs;
}

/** Nothing begins on a purse that is retired; it is returned when its last request has ended. */
async function retire(settings: SpenderSettings, account: Account) {
  const { purse } = account;
  account.purse = undefined;
  if (purse === undefined || purse.isRetired) return;
  purse.isRetired = true;
  if (purse.inFlight === 0) await close(settings, account.tenant, purse);
}

/** What is over is closed. What is idle keeps its lease for the next request, and what no request holds of it is returned. */
async function tidyOne(settings: SpenderSettings, account: Account) {
  const { store, clock } = settings;
  const { purse, tenant, lastHoldAtMs } = account;
  const nowMs = clock.nowMs();
  if (purse === undefined) return;
  if (purse.expiresAtMs <= nowMs) return retire(settings, account);
  if (nowMs - lastHoldAtMs < IDLE_MS || leftOf(purse) <= 0n || account.refill !== undefined) return;
  const { lease, takes } = purse;
  const keptPico = purse.spentPico + purse.heldPico;
  purse.drawnPico = keptPico; // from now on, whatever becomes of the write: the next take tells what is in the lease
  await changeBalance(store, tenant, (balance) => trimLease(balance, { lease, takes, keptPico, nowMs: clock.nowMs() })).catch(() => {});
}

/** What cannot be returned now is returned by the audit. */
async function close({ store, clock }: SpenderSettings, tenant: string, { lease, spentPico }: Purse) {
  await changeBalance(store, tenant, (balance) => closeLease(balance, { lease, spentPico, nowMs: clock.nowMs() })).catch(() => {});
}

function usable({ purse }: Account, book: string, nowMs: number): Purse | undefined {
  return purse === undefined || purse.expiresAtMs <= nowMs || bookOfLease(purse.lease) !== book ? undefined : purse;
}

function leftOf({ drawnPico, spentPico, heldPico }: Purse): bigint {
  return drawnPico - spentPico - heldPico;
}

function newPurse(lease: string): Purse {
  return { lease, takes: 0, drawnPico: 0n, spentPico: 0n, heldPico: 0n, inFlight: 0, expiresAtMs: 0, isRetired: false };
}

function newAccount(tenant: string): Account {
  return { tenant, purse: undefined, ahead: AHEAD.least, refilledAtMs: 0, lastHoldAtMs: 0, refused: undefined, refill: undefined };
}

function assertFresh(acceptedAtMs: number, nowMs: number) {
  if (nowMs - acceptedAtMs > ACCEPTED_BEFORE_MS_MAX) throw new Failure("timeout", "The request waited too long for its tenant's balance.");
}

function assertNotRefused({ refused }: Account, { mostPico, missingPico }: Need, nowMs: number) {
  if (refused === undefined || refused.untilMs <= nowMs || refused.freePico >= missingPico) return;
  const freePico = refused.freePico + mostPico - missingPico;
  const message = `This request may cost ${printPico(mostPico)}, and ${printPico(freePico)} of the prepaid balance is free.`;
  throw new Failure("insufficient_funds", message);
}
