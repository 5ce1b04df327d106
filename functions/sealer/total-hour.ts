import { type PeriodKind, periodAt, rangeOf, startOf } from "../../shared/usage/period.ts";
import { type HourState, walkSeals } from "../../shared/usage/seals/seal-walk.ts";
import type { Total } from "../../shared/usage/seals/sealed.ts";
import { mergeTotals, startHourTotals } from "../../shared/usage/totals/total.ts";
import type { StoredTotal, TotalStore } from "../../shared/usage/totals/total-store.ts";
import type { SealerDeps } from "./sealer.ts";

const TENANTS_AT_ONCE = 8;

/** `changes` counts seals, first and second ones. That a bucket was read again adds nothing to a total, and must not outweigh one that lacks another bucket. */
type Hour = { readonly hour: string; readonly state: HourState; readonly changes: number };

/**
 * Writes the totals of an hour anew, and those of its day and month. Each is made from what is stored when it is made, and one that knows of
 * fewer changes never replaces one that knows of more: so of two sealers, whoever has read last is who is heard.
 */
export async function totalHour(deps: Pick<SealerDeps, "seals" | "totals">, { hour, state, changes }: Hour): Promise<void> {
  const totalling = startHourTotals(hour);
  for await (const { minute, tenants } of walkSeals(deps.seals, state, ({ head }) => head)) totalling.add(minute, tenants);
  for await (const { tenants } of walkSeals(deps.seals, state, ({ superseded }) => superseded)) {
    for (const { tenant } of tenants) totalling.mention(tenant);
  }
  const totals = totalling.finish();
  for (let start = 0; start < totals.length; start += TENANTS_AT_ONCE) {
    await Promise.all(totals.slice(start, start + TENANTS_AT_ONCE).map((total) => putTotals(deps.totals, { ...total, changes })));
  }
}

async function putTotals(totals: TotalStore, hour: StoredTotal): Promise<void> {
  await totals.put(hour);
  await putLonger(totals, hour, { kind: "day", partKind: "hour" });
  await putLonger(totals, hour, { kind: "month", partKind: "day" });
}

async function putLonger(totals: TotalStore, { tenant, period }: Total, { kind, partKind }: { kind: PeriodKind; partKind: PeriodKind }) {
  const longer = periodAt(kind, startOf(period.name));
  const parts: StoredTotal[] = [];
  for await (const part of totals.list(tenant, partKind, rangeOf(longer))) parts.push(part);
  const changes = parts.reduce((sum, part) => sum + part.changes, 0);
  await totals.put({ ...mergeTotals(tenant, longer, parts), changes });
}
