import type { Round, RoundCall } from "../../shared/schedule/round.ts";
import { assertSoundTime } from "../../shared/schedule/sound-time.ts";
import { bucketCountOf, HOUR_MS, MINUTE_MS, periodAt, rangeOf, startOf } from "../../shared/usage/period.ts";
import { type HourState, readHour } from "../../shared/usage/seals/seal-walk.ts";
import type { Agenda, PublishedHour } from "../../shared/usage/seals/sealing-store.ts";
import { auditHour, sealHour } from "./close-hour.ts";
import { forgetHour } from "./forget.ts";
import { AUDIT_AFTER_MS, type Budget, FORGET_AFTER_MS, isSpent, type SealerDeps } from "./sealer.ts";
import { totalHour } from "./total-hour.ts";

/** Buckets that one round reads: about half a minute of work on the embedded store. */
const BUCKETS_PER_ROUND_MAX = 10_000;
/** New hours that one round puts on the agenda: a month and more. */
const NEW_HOURS_PER_ROUND_MAX = 1_000;
/** A year of hours that cannot be finished, and sealing still goes on behind them. */
const AGENDA_HOURS_MAX = 10_000;
/** An hour that is not complete this long after its end has totals of what there is. */
const PARTIAL_TOTALS_AFTER_MS = 2 * HOUR_MS;

/** The store's clock is believed, and on one machine it is the same one: so it can only be said. */
const CLOCK_WENT_BACK = "the clock stands more than a day behind what is sealed: what is served meanwhile is in no report and no invoice";

/** One round: expires, seals, reads again, adds up, forgets. What is done lies in the store, so any round goes on where any other ended. */
export function createSealerRound(deps: SealerDeps): Round {
  return async (call) => {
    const { nowMs, signal } = call;
    const budget: Budget = { bucketsLeft: BUCKETS_PER_ROUND_MAX, signal };
    const hasNewHours = await fillAgenda(deps, call);
    if (hasNewHours === undefined) return { hasMore: false };
    const run = { nowMs, budget };
    await workThrough(deps, run, { agenda: "seal", lastHour: hourAt(nowMs), work: sealHour });
    const auditable = hourAt(nowMs - AUDIT_AFTER_MS - HOUR_MS);
    await workThrough(deps, run, { agenda: "audit", lastHour: auditable, work: auditHour });
    await forgetThrough(deps, run);
    return { hasMore: hasNewHours || isSpent(budget) };
  };
}

/** Puts the hours that have begun on the agenda; answers whether more wait, and undefined while there is nothing to seal at all. */
async function fillAgenda(deps: SealerDeps, call: RoundCall): Promise<boolean | undefined> {
  const frontier = (await deps.sealing.frontier()) ?? (await begin(deps));
  assertSoundTime(deps, call); // else minutes would be closed while rows still come
  if (frontier === undefined) return undefined;
  if (startOf(frontier.nextHour) > call.nowMs + AUDIT_AFTER_MS) deps.log("error", CLOCK_WENT_BACK, { sealedTo: frontier.nextHour });
  const nowHour = hourAt(call.nowMs);
  let hour = frontier.nextHour;
  for (let count = 0; hour <= nowHour && count < NEW_HOURS_PER_ROUND_MAX; count += 1) {
    await deps.sealing.addToAgenda("seal", hour);
    hour = hourAt(startOf(hour) + HOUR_MS);
  }
  if (hour > frontier.nextHour) await deps.sealing.moveOn(hour);
  return hour <= nowHour;
}

async function begin({ sealing, firstTenantAtMs }: SealerDeps) {
  const atMs = await firstTenantAtMs();
  // Clocks may differ by half a minute, and whole hours are easier to count.
  if (atMs !== undefined) await sealing.begin(hourAt(atMs - MINUTE_MS));
  return sealing.frontier();
}

type Run = { readonly nowMs: number; readonly budget: Budget };
type Work = { readonly agenda: Agenda; readonly lastHour: string; readonly work: typeof sealHour };

async function workThrough(deps: SealerDeps, run: Run, { agenda, lastHour, work }: Work): Promise<void> {
  const published = new Map<string, PublishedHour>();
  let month = "";
  for (const hour of await deps.sealing.agenda(agenda, lastHour, AGENDA_HOURS_MAX)) {
    if (isSpent(run.budget)) return;
    if (!hour.startsWith(month) || month === "") {
      month = hour.slice(0, 7);
      for (const each of await deps.sealing.published(month)) published.set(each.hour, each);
    }
    await work(deps, hour, run);
    await conclude(deps, run.nowMs, { agenda, hour, said: published.get(hour)?.changes ?? 0 });
  }
}

/** Hours whose Idempotency-Keys are old enough; each is taken off when all of its are gone. */
async function forgetThrough(deps: SealerDeps, { nowMs, budget }: Run): Promise<void> {
  for (const hour of await deps.sealing.agenda("forget", hourAt(nowMs - FORGET_AFTER_MS - HOUR_MS), AGENDA_HOURS_MAX)) {
    if (isSpent(budget) || !(await forgetHour(deps, hour, budget))) return;
    await deps.sealing.takeOffAgenda("forget", hour);
  }
}

/** Adds up what has changed, says how far the hour is, and takes it off the agenda when it is done: in this order, so that a kill loses nothing. */
async function conclude(deps: SealerDeps, nowMs: number, { agenda, hour, said }: { agenda: Agenda; hour: string; said: number }) {
  const state = await readHour(deps.seals, hour, deps.schedule);
  const { counts, superseded } = countsOf(deps, hour, state);
  const hasSuperseded = superseded > 0;
  const isSealed = counts.sealed === counts.of;
  const isStuck = !isSealed && rangeOf({ kind: "hour", name: hour }).toMs + PARTIAL_TOTALS_AFTER_MS <= nowMs;
  if (counts.changes > said || isStuck) {
    const isWanted = agenda === "seal" ? isSealed || isStuck : hasSuperseded;
    if (isWanted) await totalHour(deps, { hour, state, changes: counts.sealed + superseded });
    await deps.sealing.publish(counts);
  }
  if (agenda === "seal" && isSealed) {
    if (counts.audited < counts.of) await deps.sealing.addToAgenda("audit", hour);
    await deps.sealing.takeOffAgenda("seal", hour);
  }
  if (agenda === "audit" && counts.audited === counts.of) {
    // The totals are right by now, which were made of what the first reading found and the second did not.
    if (hasSuperseded) for (const [block, known] of state) await deps.seals.dropSuperseded(block, known);
    await deps.sealing.takeOffAgenda("audit", hour);
  }
}

function countsOf(deps: SealerDeps, hour: string, state: HourState): { counts: PublishedHour; superseded: number } {
  const buckets = [...state.values()].flatMap((block) => [...block.values()]).flatMap((minute) => [...minute.values()]);
  const sealed = buckets.length;
  const audited = buckets.filter(({ auditedAtMs }) => auditedAtMs !== undefined).length;
  const superseded = buckets.filter((bucket) => bucket.superseded !== undefined).length;
  const of = bucketCountOf(rangeOf({ kind: "hour", name: hour }), deps.schedule);
  return { counts: { hour, sealed, audited, of, changes: sealed + audited + superseded }, superseded };
}

function hourAt(atMs: number): string {
  return periodAt("hour", atMs).name;
}
