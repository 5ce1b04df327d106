import { type Deletion, LATE_STEPS, type ReportedPlace, stepOf } from "./deletion.ts";
import { PLACES, type Place } from "./places.ts";

const DAY_MS = 86_400_000;

/** Every place where the product stores anything: what was erased there, what is kept, why and until when. */
export function placesOf(deletion: Deletion): ReportedPlace[] {
  return PLACES.map((place) => {
    const { store, items, holds } = place;
    const kept = keptOf(place, deletion);
    return { store, items, holds, ...erasedOf(place, deletion), ...(kept === undefined ? {} : { kept }) };
  });
}

function erasedOf({ step }: Place, deletion: Deletion) {
  if (step === undefined) return {};
  const { erased, finishedAt } = stepOf(deletion, step);
  return { erased, ...(finishedAt === undefined ? {} : { erasedAt: finishedAt }) };
}

function keptOf({ kept, step }: Place, deletion: Deletion): ReportedPlace["kept"] {
  if (kept === undefined) return undefined;
  const isLate = LATE_STEPS.some((each) => each === step);
  if (isLate && step !== undefined && stepOf(deletion, step).finishedAt !== undefined) return undefined;
  const until = untilOf(kept.until, deletion);
  return { what: kept.what ?? "all of it", why: kept.why, ...(until === undefined ? {} : { until }) };
}

function untilOf(until: "law" | number | undefined, { keptUntil, requestedAt }: Deletion): string | undefined {
  if (until === "law") return keptUntil;
  return until === undefined ? undefined : new Date(Date.parse(requestedAt) + until * DAY_MS).toISOString();
}
