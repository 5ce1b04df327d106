import { acceptedAtMsOf } from "../../base/id.ts";
import { type Balance, type Grant, HOURS_MAX, LEASES_MAX, type Lease, sumPico } from "./balance.ts";
import type { Change } from "./change-balance.ts";
import { draw, freePico, giveBack, mergeDraws, overdraw, partDraws, sweep, tidy } from "./purse.ts";

/** No request begins on a lease after this. Short enough that what a dead process held comes back soon, long enough that leases stay few. */
export const LEASE_LIFE_MS = 600_000;

/** The grant of what re-audits give back; no credit has a colon in its id. */
const RETURNED = "audit:returned";

export type Take = {
  /** From `leaseIdOf`, with a UUIDv7: its hour is the one that the lease is audited in. */
  readonly lease: string;
  readonly lessee: string;
  /** 1 opens the lease, n+1 puts more into it. The same number again changes nothing. */
  readonly take: number;
  readonly wantPico: bigint;
  /** Less than this is of no use. */
  readonly leastPico: bigint;
  readonly nowMs: number;
};

export type Taken =
  | { readonly kind: "taken"; readonly drawnPico: bigint; readonly expiresAtMs: number }
  | { readonly kind: "insufficient"; readonly freePico: bigint }
  /** Nothing more can be put into this lease: begin another. */
  | { readonly kind: "over" }
  /** So many leases wait to be audited that none can be added. */
  | { readonly kind: "full" };

/** Takes credits for a process: at most its share of what is free, so that the last credits are not all in the hands of one of many. */
export function takeLease(before: Balance, take: Take): Change<Taken> {
  const balance = sweep(before, take.nowMs);
  const lease = balance.leases.find(({ id }) => id === take.lease);
  if (lease !== undefined && lease.takes >= take.take) return { result: taken(lease) };
  if (take.take > 1 && (lease === undefined || lease.isClosed || lease.expiresAtMs <= take.nowMs)) return { result: { kind: "over" } };
  // A process that stood still may come with a lease whose hour has been audited by now.
  if (take.nowMs - acceptedAtMsOf(take.lease) > LEASE_LIFE_MS) return { result: { kind: "over" } };
  if (lease === undefined && balance.leases.length >= LEASES_MAX) return { result: { kind: "full" } };
  const free = freePico(balance);
  if (free < take.leastPico) return { result: { kind: "insufficient", freePico: free } };
  const { balance: drawn, draws } = draw(balance, amountOf(balance, take));
  const filled: Lease = {
    ...(lease ?? newLease(take)),
    takes: take.take,
    draws: mergeDraws([...(lease?.draws ?? []), ...draws]) as Lease["draws"], // only read
  };
  return { balance: { ...drawn, leases: [...drawn.leases.filter(({ id }) => id !== take.lease), filled] }, result: taken(filled) };
}

/** Returns what a process has not spent; what it has stays in the lease until the sealed rows have confirmed it. Twice changes nothing. */
export function closeLease(before: Balance, close: { lease: string; spentPico: bigint; nowMs: number }): Change<void> {
  const lease = before.leases.find(({ id }) => id === close.lease);
  if (lease === undefined || lease.isClosed) return { result: undefined };
  return returnRest(before, { lease, keptPico: close.spentPico, isClosed: true, nowMs: close.nowMs });
}

/**
 * Returns what a process has no use for now and leaves the lease open: more can be put into it, so that a process which serves a tenant now and then has a few
 * leases and not one for each time. Nothing if there was another take since, which the process may not have heard of. Twice changes nothing.
 */
export function trimLease(before: Balance, trim: { lease: string; takes: number; keptPico: bigint; nowMs: number }): Change<void> {
  const lease = before.leases.find(({ id }) => id === trim.lease);
  if (lease === undefined || lease.isClosed || lease.takes !== trim.takes || sumPico(lease.draws) <= trim.keptPico)
    return { result: undefined };
  return returnRest(before, { lease, keptPico: trim.keptPico, isClosed: false, nowMs: trim.nowMs });
}

type Return = { readonly lease: Lease; readonly keptPico: bigint; readonly isClosed: boolean; readonly nowMs: number };

function returnRest(before: Balance, { lease, keptPico, isClosed, nowMs }: Return): Change<void> {
  const balance = sweep(before, nowMs);
  const { spent, rest } = partDraws(lease.draws, keptPico);
  const kept: Lease = { ...lease, isClosed, draws: [...spent] };
  const leases = balance.leases.map((each) => (each.id === lease.id ? kept : each));
  return { balance: tidy(giveBack({ ...balance, leases }, rest, nowMs)), result: undefined };
}

/**
 * Settles a lease by what its sealed rows cost: the rest is returned, what they cost beyond the lease is taken from the grants or owed.
 * Only when all minutes that its rows can lie in are sealed. Twice changes nothing, since the lease is gone.
 */
export function auditLease(before: Balance, audit: { lease: string; spentPico: bigint; nowMs: number }): Change<void> {
  const balance = sweep(before, audit.nowMs);
  const lease = balance.leases.find(({ id }) => id === audit.lease);
  if (lease === undefined) return { result: undefined };
  const hours = addToHour(balance, lease, audit.spentPico);
  if (hours.length > HOURS_MAX) return { result: undefined }; // it stays until older hours have been audited
  const { rest } = partDraws(lease.draws, audit.spentPico);
  const excessPico = audit.spentPico - sumPico(lease.draws);
  const without = { ...balance, hours, leases: balance.leases.filter(({ id }) => id !== lease.id) };
  const settled = excessPico > 0n ? overdraw(without, excessPico) : giveBack(without, rest, audit.nowMs);
  return { balance: tidy({ ...settled, spentPico: settled.spentPico + audit.spentPico }), result: undefined };
}

const UUID_LENGTH = 36;

/** A lease's id says when it was made and which price book its rows are rated by: every row that names it tells both. */
export function leaseIdOf(uuid: string, book: string): string {
  return `${uuid}.${book}`;
}

export function bookOfLease(id: string): string {
  return id.slice(UUID_LENGTH + 1);
}

/** The hour whose seals are read again for a lease. */
export function hourOfLease(id: string): string {
  return new Date(acceptedAtMsOf(id)).toISOString().slice(0, 13);
}

/**
 * Closes an hour by the last revisions of its seals: a row that came late is charged, one that was voided after the first seal is given back,
 * as a grant without an end, since the leases that it came from are gone. Twice changes nothing.
 */
export function reauditHour(before: Balance, audit: { hour: string; spentPico: bigint; nowMs: number }): Change<void> {
  const balance = sweep(before, audit.nowMs);
  const known = balance.hours.find(({ hour }) => hour === audit.hour);
  const isOpen = balance.leases.some(({ id }) => hourOfLease(id) === audit.hour);
  if (known === undefined || isOpen) return { result: undefined };
  const lateBy = audit.spentPico - known.spentPico;
  const without = { ...balance, hours: balance.hours.filter(({ hour }) => hour !== audit.hour), spentPico: balance.spentPico + lateBy };
  return { balance: lateBy > 0n ? overdraw(without, lateBy) : refund(without, -lateBy, audit.nowMs), result: undefined };
}

function refund(balance: Balance, amountPico: bigint, nowMs: number): Balance {
  const known = balance.grants.find(({ id }) => id === RETURNED);
  const grant: Grant = known ?? { id: RETURNED, amountPico: 0n, leftPico: 0n, grantedAtMs: nowMs, expiresAtMs: null, priority: 0 };
  const grants = [...balance.grants.filter(({ id }) => id !== RETURNED), { ...grant, amountPico: grant.amountPico + amountPico }];
  return tidy(giveBack({ ...balance, grants }, [{ grant: RETURNED, amountPico }], nowMs));
}

function newLease({ lease, lessee, nowMs }: Take): Omit<Lease, "takes" | "draws"> {
  return { id: lease, lessee, isClosed: false, takenAtMs: nowMs, expiresAtMs: nowMs + LEASE_LIFE_MS };
}

/** Half of this process's even share of what is free, or what the request needs. */
function amountOf(balance: Balance, { lessee, wantPico, leastPico, nowMs }: Take): bigint {
  const others = balance.leases.filter((each) => !each.isClosed && each.expiresAtMs > nowMs && each.lessee !== lessee);
  const lesseeCount = new Set(others.map((each) => each.lessee)).size + 1;
  const sharePico = freePico(balance) / BigInt(2 * lesseeCount);
  const mostPico = sharePico > leastPico ? sharePico : leastPico;
  return wantPico < mostPico ? wantPico : mostPico;
}

function addToHour({ hours }: Balance, { id }: Lease, spentPico: bigint): Balance["hours"] {
  const hour = hourOfLease(id);
  const known = hours.find((each) => each.hour === hour);
  return [...hours.filter((each) => each.hour !== hour), { hour, spentPico: (known?.spentPico ?? 0n) + spentPico }];
}

function taken({ draws, expiresAtMs }: Lease): Taken {
  return { kind: "taken", drawnPico: sumPico(draws), expiresAtMs };
}
