import { type Bucket, bucketCountOf, minutesIn, type PeriodKind, periodsIn, rangeOf, type TimeRange } from "../period.ts";
import { type ShardSchedule, shardCountAt } from "../row.ts";
import { compareTexts, type Summing, startSumming } from "../sums.ts";
import type { TotalStore } from "../totals/total-store.ts";
import type { LeaseUse, Seal, TenantBucket } from "./seal.ts";
import type { SealStore } from "./seal-store.ts";
import { readHour, walkSeals } from "./seal-walk.ts";
import type { Completeness, SealReader, TotalReader } from "./sealed.ts";
import type { SealingStore } from "./sealing-store.ts";

type Source = {
  readonly seals: SealStore;
  readonly sealing: Pick<SealingStore, "frontier" | "published">;
  readonly totals: Pick<TotalStore, "list">;
  readonly schedule: ShardSchedule;
};
type HourCompleteness = Completeness & { readonly hour: string };

/** Answers from what sealers have left; writes nothing. */
export function createSealReader(source: Source): SealReader {
  return {
    completeness: (range) => completeness(source, range),
    hours: (range) => hours(source, range),
    firstUnsealed: (range) => firstUnsealed(source, range),
    seals: (range) => seals(source, range),
    ofTenant: (tenant, range) => ofTenant(source, tenant, range),
    leases: (tenant, range) => leases(source, tenant, range),
  };
}

export function createTotalReader(totals: Pick<TotalStore, "list">): TotalReader {
  return { totals: (tenant, kind: PeriodKind, range) => totals.list(tenant, kind, range) };
}

async function hours({ sealing, schedule }: Source, range: TimeRange): Promise<HourCompleteness[]> {
  const frontier = await sealing.frontier();
  const said = new Map<string, Completeness>();
  for (const { name } of periodsIn("month", range)) {
    for (const { hour, sealed, audited, of } of await sealing.published(name)) said.set(hour, { sealed, audited, of });
  }
  return [...periodsIn("hour", range)].map((period) => {
    const known = said.get(period.name);
    if (known !== undefined) return { hour: period.name, ...known };
    // Before the installation's first hour there is nothing that could be missing.
    const isBefore = frontier !== undefined && period.name < frontier.firstHour;
    return { hour: period.name, sealed: 0, audited: 0, of: isBefore ? 0 : bucketCountOf(rangeOf(period), schedule) };
  });
}

/** Whole hours from what is published of them; of the others, their minutes in the range are looked at. */
async function completeness(source: Source, range: TimeRange): Promise<Completeness> {
  const total = { sealed: 0, audited: 0, of: 0 };
  for (const { hour, ...published } of await hours(source, range)) {
    const isKnown = isWhole(hour, range) || published.of === 0;
    const part = isKnown ? published : await partOfHour(source, hour, partOf(rangeOf({ kind: "hour", name: hour }), range));
    total.sealed += part.sealed;
    total.audited += part.audited;
    total.of += part.of;
  }
  return total;
}

async function partOfHour({ seals: store, schedule }: Source, hour: string, range: TimeRange): Promise<Completeness> {
  const state = await readHour(store, hour, schedule);
  const minutes = [...minutesIn(range)];
  const buckets = [...state.values()].flatMap((block) => minutes.flatMap((minute) => [...(block.get(minute)?.values() ?? [])]));
  const audited = buckets.filter(({ auditedAtMs }) => auditedAtMs !== undefined).length;
  return { sealed: buckets.length, audited, of: bucketCountOf(range, schedule) };
}

async function firstUnsealed(source: Source, range: TimeRange): Promise<Bucket | undefined> {
  for (const { hour, sealed, of } of await hours(source, range)) {
    if (sealed === of) continue;
    const state = [...(await readHour(source.seals, hour, source.schedule)).values()];
    for (const minute of minutesIn(partOf(rangeOf({ kind: "hour", name: hour }), range))) {
      for (let shard = 0; shard < shardCountAt(source.schedule, minute); shard += 1) {
        if (!state.some((block) => block.get(minute)?.has(shard))) return { minute, shard };
      }
    }
  }
  return undefined;
}

async function* seals(source: Source, range: TimeRange): AsyncGenerator<Seal> {
  for (const { name } of periodsIn("hour", range)) yield* sealsOfHour(source, name, range);
}

async function* sealsOfHour(source: Source, hour: string, range: TimeRange): AsyncGenerator<Seal> {
  const state = await readHour(source.seals, hour, source.schedule);
  const minutes = new Set(minutesIn(partOf(rangeOf({ kind: "hour", name: hour }), range)));
  for await (const { minute, shard, head, tenants } of walkSeals(source.seals, state, (bucket) => bucket.head)) {
    const { revision, rowCount, digest, sealedAtMs } = head;
    if (minutes.has(minute)) yield { minute, shard, revision, rowCount, digest, sealedAtMs, tenants };
  }
}

async function* ofTenant(source: Source, tenant: string, range: TimeRange): AsyncGenerator<TenantBucket> {
  // Asked in this order: an hour that is sealed by now has been added up, and then every tenant in it has a total.
  const known = await hours(source, range);
  const totalled = new Set<string>();
  for await (const { period } of source.totals.list(tenant, "hour", range)) totalled.add(period.name);
  // Most of a running month lies ahead: hours that no sealer has come to would be a read each.
  const nextHour = (await source.sealing.frontier())?.nextHour ?? "";
  for (const { hour, sealed, audited, of } of known.filter((each) => each.hour < nextHour)) {
    const isTold = audited === of || isWhole(hour, range);
    if (!totalled.has(hour) && sealed === of && (isTold || !(await isSealedAnew(source, hour)))) continue;
    for await (const { minute, shard, revision, tenants } of sealsOfHour(source, hour, range)) {
      const own = tenants.find((each) => each.tenant === tenant);
      if (own !== undefined) yield { minute, shard, revision, tenant: own };
    }
  }
}

/**
 * While an hour is read again, second seals may hold a tenant that no first one had, and that has no total before all of it is read. Whoever asks for
 * whole hours hears that they were read again when that is done; of a part its minutes alone may be.
 */
async function isSealedAnew({ seals: store, schedule }: Source, hour: string): Promise<boolean> {
  const state = [...(await readHour(store, hour, schedule)).values()];
  return state.some((block) =>
    [...block.values()].some((minute) => [...minute.values()].some(({ superseded }) => superseded !== undefined)),
  );
}

async function leases(source: Source, tenant: string, range: TimeRange) {
  // Asked first: what is said to be sealed is in what is read after it.
  const known = await completeness(source, range);
  const uses = new Map<string, Summing>();
  for await (const bucket of ofTenant(source, tenant, range)) {
    for (const { lease, sums } of bucket.tenant.leases) {
      const summing = uses.get(lease) ?? startSumming();
      uses.set(lease, summing);
      for (const sum of sums) summing.add(sum);
    }
  }
  const list: LeaseUse[] = [...uses].map(([lease, summing]) => ({ lease, sums: summing.list() }));
  return { completeness: known, uses: list.sort((a, b) => compareTexts(a.lease, b.lease)) };
}

function isWhole(hour: string, range: TimeRange): boolean {
  const { fromMs, toMs } = rangeOf({ kind: "hour", name: hour });
  return range.fromMs <= fromMs && toMs <= range.toMs;
}

/** What two ranges have in common, in whole minutes. */
function partOf(hour: TimeRange, range: TimeRange): TimeRange {
  return { fromMs: Math.max(hour.fromMs, range.fromMs), toMs: Math.min(hour.toMs, range.toMs) };
}
