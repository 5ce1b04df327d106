import { DAY_MS, HOUR_MS, periodsIn, type TimeRange } from "../../usage/period.ts";
import type { SealReader } from "../../usage/seals/sealed.ts";
import type { AuditedHour, Balance, BalanceStore, Lease } from "./balance.ts";
import { changeBalance } from "./change-balance.ts";
import { leasePicoOf, type RevisionPrices } from "./lease-cost.ts";
import { auditLease, hourOfLease, LEASE_LIFE_MS, reauditHour } from "./leases.ts";
import { ACCEPTED_BEFORE_MS_MAX } from "./spender.ts";

/** Clocks of gateways are this far apart at most (twice what the ledger's guard allows). */
const CLOCK_SKEW_MS = 60_000;
/** Leases of one tenant that one round looks at. */
const LEASES_PER_ROUND = 100;
const HOURS_PER_ROUND = 24;

export type AuditDeps = {
  readonly balances: BalanceStore;
  readonly seals: Pick<SealReader, "firstUnsealed" | "hours" | "leases">;
  readonly prices: RevisionPrices;
};

/** Settles what is known by now of a tenant's leases. Answers how many leases and hours it has settled. Twice at once changes nothing. */
export async function auditBalance(deps: AuditDeps, tenant: string, nowMs: number): Promise<number> {
  const { balance } = await deps.balances.read(tenant);
  const leases = await auditLeases(deps, { tenant, balance, nowMs });
  return leases + (await reauditHours(deps, { tenant, balance, nowMs }));
}

type Audit = { readonly tenant: string; readonly balance: Balance; readonly nowMs: number };

async function auditLeases(deps: AuditDeps, { tenant, balance, nowMs }: Audit): Promise<number> {
  const over = balance.leases.filter((lease) => rangeOfLease(lease).toMs <= nowMs).sort((a, b) => a.takenAtMs - b.takenAtMs);
  const ready = (await sealedOf(deps, over)).slice(0, LEASES_PER_ROUND);
  if (ready.length === 0) return 0;
  const { uses } = await deps.seals.leases(tenant, spanOf(ready));
  const used = new Map(uses.map((use) => [use.lease, use]));
  const audits = await Promise.all(
    ready.map(async ({ id }) => {
      const use = used.get(id);
      return { lease: id, spentPico: use === undefined ? 0n : await leasePicoOf(use, deps.prices), nowMs };
    }),
  );
  // In one write: each costs as much as the whole balance is large, and gateways wait for the same item.
  await changeBalance(deps.balances, tenant, (current) => {
    const audited = audits.reduce((before, audit) => auditLease(before, audit).balance ?? before, current);
    return audited === current ? { result: undefined } : { balance: audited, result: undefined };
  });
  return ready.length;
}

/**
 * The leases of which every minute is sealed: those before the first minute that is not, and those in hours that are sealed as a whole. A minute that can never be
 * sealed must not hold the leases of all hours after its own.
 */
async function sealedOf({ seals }: AuditDeps, leases: readonly Lease[]): Promise<readonly Lease[]> {
  if (leases.length === 0) return [];
  const span = spanOf(leases);
  const unsealed = await seals.firstUnsealed(span);
  if (unsealed === undefined) return leases;
  const sealedToMs = Date.parse(`${unsealed.minute}:00Z`);
  const open = new Set((await seals.hours(span)).filter(({ sealed, of }) => sealed < of).map(({ hour }) => hour));
  return leases.filter((lease) => {
    const range = rangeOfLease(lease);
    return range.toMs <= sealedToMs || [...periodsIn("hour", range)].every(({ name }) => !open.has(name));
  });
}

/** From the first minute of any of them to the last; of at least one. */
function spanOf(leases: readonly Lease[]): TimeRange {
  const ranges = leases.map(rangeOfLease);
  return { fromMs: Math.min(...ranges.map(({ fromMs }) => fromMs)), toMs: Math.max(...ranges.map(({ toMs }) => toMs)) };
}

/** An hour is closed when all minutes that rows of its leases can lie in have been read again, a day later. */
async function reauditHours(deps: AuditDeps, { tenant, balance, nowMs }: Audit): Promise<number> {
  let closed = 0;
  const due = balance.hours.filter(({ hour }) => rangeOfHour(hour).toMs + DAY_MS <= nowMs);
  for (const { hour } of due.slice(0, HOURS_PER_ROUND)) closed += (await reaudit(deps, { tenant, hour, nowMs })) ? 1 : 0;
  return closed;
}

async function reaudit(
  deps: AuditDeps,
  { tenant, hour, nowMs }: { tenant: string; nowMs: number } & Pick<AuditedHour, "hour">,
): Promise<boolean> {
  const { completeness, uses } = await deps.seals.leases(tenant, rangeOfHour(hour));
  if (completeness.audited < completeness.of) return false;
  let spentPico = 0n;
  for (const use of uses) if (hourOfLease(use.lease) === hour) spentPico += await leasePicoOf(use, deps.prices);
  await changeBalance(deps.balances, tenant, (current) => reauditHour(current, { hour, spentPico, nowMs }));
  return true;
}

/** Every minute that a row of the lease can lie in: a request may have been accepted a little before its lease was taken. */
function rangeOfLease({ takenAtMs, expiresAtMs }: Pick<Lease, "takenAtMs" | "expiresAtMs">): TimeRange {
  return { fromMs: takenAtMs - ACCEPTED_BEFORE_MS_MAX - CLOCK_SKEW_MS, toMs: expiresAtMs + CLOCK_SKEW_MS };
}

/** An id's lease may be taken as late as a lease lives, if its process stood still, and lives from then on. */
function rangeOfHour(hour: string): TimeRange {
  const startMs = Date.parse(`${hour}:00:00Z`);
  return rangeOfLease({ takenAtMs: startMs, expiresAtMs: startMs + HOUR_MS + 2 * LEASE_LIFE_MS });
}
