import { expect, test } from "vitest";
import { HOUR_MS, MINUTE_MS, rangeOf } from "../../shared/usage/period.ts";
import type { UsageRow } from "../../shared/usage/row.ts";
import type { SealedSum } from "../../shared/usage/seals/seal.ts";
import { countsOf, digestOf, histogramsOf } from "../../test/harness/expected-usage.ts";
import { createRandom } from "../../test/harness/random.ts";
import { createSealingWorld, listed, rowAt, type SealingWorld } from "../../test/harness/sealing.ts";

const MONTH = rangeOf({ kind: "month", name: "2026-02" });
const SCHEDULE = [
  { fromMinute: "", shardCount: 1 },
  { fromMinute: "2026-02-26T07:31", shardCount: 2 },
];
/** Hours between two visits of the sealer: it is off for days in between. */
const VISITS_H = [1, 1, 5, 1, 60, 1, 30, 1];
const SILENCE = { fromMs: Date.UTC(2026, 1, 10, 3), toMs: Date.UTC(2026, 1, 12) };
const TIMEOUT_MS = 120_000;

type Step = { readonly atMs: number; readonly play: (world: SealingWorld) => Promise<void> };

/** A month of three tenants, and what is done to the ledger when; late rows and markers come within a day. */
function monthOf(seed: number): { steps: Step[]; billed: UsageRow[] } {
  const random = createRandom(seed);
  const steps: Step[] = [];
  const billed: UsageRow[] = [];
  const at = (atMs: number, play: Step["play"]) => steps.push({ atMs, play });
  for (let made = 0; made < 3_000; made += 1) {
    const burst = random.chance(0.2) ? random.below(12) : 1;
    const acceptedMs = MONTH.fromMs + random.below(MONTH.toMs - MONTH.fromMs);
    if (acceptedMs >= SILENCE.fromMs && acceptedMs < SILENCE.toMs) continue;
    for (let each = 0; each < burst; each += 1) {
      const values = { model: random.pick(["gpt", "minilm"]), servedVersion: 1 + random.below(3), outputTokens: random.below(200) };
      const row = rowAt(acceptedMs, {
        ...values,
        tenant: random.pick(["acme", "globex", "initech"]),
        arm: random.pick(["stable", "canary"]),
      });
      const fate = random.below(20);
      if (fate === 0) {
        // Its gateway died in the middle of a stream.
        at(acceptedMs, (world) => world.reserve(row, { expiresAtMs: acceptedMs + 10 * MINUTE_MS, checkpointed: 64 }));
        billed.push({ ...row, outcome: "cut", outputTokens: 64 });
      } else if (fate === 1) {
        at(acceptedMs, (world) => world.reserve(row, { expiresAtMs: acceptedMs + 10 * MINUTE_MS, checkpointed: 0 }));
      } else if (fate === 2) {
        at(acceptedMs, (world) => world.settle(row));
        at(acceptedMs + random.below(20 * HOUR_MS), (world) => world.mark(row));
      } else {
        at(fate === 3 ? acceptedMs + random.below(20 * HOUR_MS) : acceptedMs, (world) => world.settle(row));
        billed.push(row);
      }
    }
  }
  return { steps: steps.sort((a, b) => a.atMs - b.atMs), billed };
}

async function live(world: SealingWorld, steps: readonly Step[]) {
  let done = 0;
  let visits = 0;
  for (let nowMs = MONTH.fromMs; nowMs < MONTH.toMs + 50 * HOUR_MS; nowMs += (VISITS_H[visits++ % VISITS_H.length] ?? 1) * HOUR_MS) {
    for (; (steps[done]?.atMs ?? Number.POSITIVE_INFINITY) <= nowMs; done += 1) await steps[done]?.play(world);
    await world.sealAt(nowMs);
  }
  for (; done < steps.length; done += 1) await steps[done]?.play(world);
  await world.sealAt(MONTH.toMs + 26 * HOUR_MS);
}

test(
  "a month of three tenants is sealed, read again and added up as its rows are",
  async () => {
    const { steps, billed } = monthOf(20260201);
    const world = createSealingWorld({ schedule: SCHEDULE, firstTenantAtMs: MONTH.fromMs + 2 * MINUTE_MS });

    await live(world, steps);

    const buckets = 28 * 24 * 60 + (2 * 24 * 60 + 16 * 60 + 29);
    expect(await world.seals.completeness(MONTH)).toEqual({ sealed: buckets, audited: buckets, of: buckets });
    for (const tenant of ["acme", "globex", "initech"]) {
      const own = billed.filter((row) => row.tenant === tenant);
      const [total, ...others] = await listed(world.totals.totals(tenant, "month", MONTH));
      expect(others).toEqual([]);
      expect(Object.fromEntries((total?.sums ?? []).map((sum) => [keyOf(tenant, sum), valuesOf(sum)]))).toEqual(countsOf(own));
      const seconds = (total?.seconds ?? []).map(({ model, histogram }) => [`${tenant} ${model}`, Object.fromEntries(histogram)]);
      expect(Object.fromEntries(seconds)).toEqual(histogramsOf(own));
      expect(digestOf(await listed(world.rows.rows(tenant, MONTH)))).toBe(digestOf(own));
    }
    const silent = await listed(world.seals.seals(SILENCE));
    expect(silent).toEqual([]);
    expect(world.logged).toEqual([]);
  },
  TIMEOUT_MS,
);

function keyOf(tenant: string, { model, version, arm, tier, priceVersion }: SealedSum): string {
  return [tenant, model, version, arm, tier, priceVersion].join(" ");
}
function valuesOf({ requests, inputs, inputTokens, outputTokens, computeMs }: SealedSum): number[] {
  return [requests, inputs, inputTokens, outputTokens, computeMs];
}
