import { randomUUID } from "node:crypto";
import { openLimits } from "../../../edge/open-limits.ts";
import { systemClock } from "../../../shared/base/clock.ts";
import { createLeanDynamo, type LeanDynamo } from "../../../shared/dynamo/lean-client.ts";
import { createSdkDynamo } from "../../../shared/dynamo/sdk.ts";
import { createLeaseStore } from "../../../shared/limits/lease-store.dynamo.ts";
import { createSlotStore } from "../../../shared/limits/slot-store.dynamo.ts";
import { type Asked, BUCKET_MS, type LimiterReport, POLICIES } from "../limits-plan.ts";

/** The limiter of one gateway: asks for its share of the overload, and says what it was granted, in buckets of time. */
const TICK_MS = 5;
const REPORT_MS = 200;
const BACKLOG_MS_MAX = 250;
const [endpoint, share] = process.argv.slice(2);

const counts = { writes: 0, reads: 0, firstAskMs: systemClock.nowMs() };
const dynamo = createSdkDynamo({ region: "us-east-1", tablePrefix: "weir", endpoint });
const lean = counting(createLeanDynamo(dynamo.settings, systemClock));
const name = randomUUID();
const limits = openLimits({
  leases: createLeaseStore({ lean, tablePrefix: "weir", lessee: name }),
  slotStore: createSlotStore({ lean, tablePrefix: "weir", holder: name }),
  clock: systemClock,
});
let report: LimiterReport = { granted: [], ...counts };
const owed = POLICIES.map(() => 0);
let lastMs = systemClock.nowMs();

const asking = setInterval(() => {
  const nowMs = systemClock.nowMs();
  // After a stop nobody has waited for it: the callers of that time have gone.
  const passedMs = Math.min(nowMs - lastMs, BACKLOG_MS_MAX);
  lastMs = nowMs;
  for (const [index, asked] of POLICIES.entries()) {
    owed[index] = (owed[index] ?? 0) + (asked.requestsPerSecond * Number(share) * passedMs) / 1_000;
    while ((owed[index] ?? 0) >= 1) {
      owed[index] = (owed[index] ?? 0) - 1;
      void ask(index, asked);
    }
  }
}, TICK_MS);
const reporting = setInterval(tell, REPORT_MS);

async function ask(index: number, { policy, estimate, used }: Asked) {
  const verdict = await Promise.resolve(limits.limiter.take([policy], estimate)).catch(() => undefined); // a store in trouble refuses
  if (!verdict?.isAdmitted) return;
  note(index, systemClock.nowMs(), used);
  if (used !== estimate) setTimeout(() => limits.limiter.correct(verdict, used), 100 + Math.random() * 900);
}

function note(index: number, atMs: number, credits: number) {
  report.granted.push([index, Math.floor(atMs / BUCKET_MS), credits]);
}

function tell() {
  process.send?.({ ...report, ...counts });
  report = { granted: [], ...counts };
}

/** What it costs the store, failed conditions included. */
function counting(inner: LeanDynamo): LeanDynamo {
  return {
    ...inner,
    call(operation, input, timeoutMs) {
      if (operation === "GetItem") counts.reads += 1;
      else counts.writes += 1;
      return inner.call(operation, input, timeoutMs);
    },
  };
}

process.on("SIGTERM", async () => {
  clearInterval(asking);
  clearInterval(reporting);
  await limits.close();
  tell();
  process.disconnect();
});
process.on("disconnect", () => process.exit(0));
