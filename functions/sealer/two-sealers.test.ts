import fc from "fast-check";
import { expect, test } from "vitest";
import { DynamoRefusal, type LeanDynamo } from "../../shared/dynamo/lean-client.ts";
import { createPatientLean } from "../../shared/dynamo/patient-lean.ts";
import { HOUR_MS, MINUTE_MS } from "../../shared/usage/period.ts";
import { ledgerAddress, type UsageRow } from "../../shared/usage/row.ts";
import { countsOf, digestOf, histogramsOf } from "../../test/harness/expected-usage.ts";
import { leanOver } from "../../test/harness/fake-dynamo/lean.ts";
import { createRandom, type Random } from "../../test/harness/random.ts";
import { createSealingWorld, listed, roundsAt, rowAt, type SealingWorld } from "../../test/harness/sealing.ts";
import { createTurns, type Turns } from "../../test/harness/turns.ts";

/** Tried with 150 when it was written; each is about half a second. */
const RUNS = 8;
const TIMEOUT_MS = 60_000;
const START_MS = Date.UTC(2026, 10, 23, 19);
const HOURS = { fromMs: START_MS, toMs: START_MS + 2 * HOUR_MS };
const SCHEDULE = [
  { fromMinute: "", shardCount: 2 },
  { fromMinute: "2026-11-23T20:00", shardCount: 3 },
];
const AUDITED_MS = START_MS + 27 * HOUR_MS;
const TENANTS = ["acme", "acme-2", "globex"];

class Killed extends Error {}

type Kind = "settled" | "late" | "expiring" | "idle" | "voided" | "lateMarked";
type Planned = { readonly kind: Kind; readonly row: UsageRow; readonly checkpointed: number };

/** Rows of two hours, most of them in few minutes, so that they meet in buckets and seconds. */
function planOf(random: Random): Planned[] {
  return Array.from({ length: 60 }, () => {
    const kind = random.pick<Kind>(["settled", "settled", "settled", "late", "expiring", "idle", "voided", "lateMarked"]);
    const atMs = START_MS + random.below(8) * 15 * MINUTE_MS + random.below(3) * 1_000;
    const served = { servedVersion: 1 + random.below(2), model: random.pick(["gpt", "minilm"]), outputTokens: random.below(99) };
    const lease = random.chance(0.3) ? { lease: `l${random.below(2)}` } : {};
    return { kind, row: rowAt(atMs, { tenant: random.pick(TENANTS), ...served, ...lease }), checkpointed: 1 + random.below(64) };
  });
}

/** What is billed in the end. */
function billedOf(plan: readonly Planned[]): UsageRow[] {
  return plan.flatMap(({ kind, row, checkpointed }): UsageRow[] => {
    if (kind === "settled" || kind === "late") return [row];
    if (kind === "expiring") return [{ ...row, outcome: "cut", outputTokens: checkpointed }];
    return [];
  });
}

async function play(world: SealingWorld, { kind, row, checkpointed }: Planned, isLate: boolean): Promise<void> {
  const expiresAtMs = START_MS + 100 * MINUTE_MS;
  if (!isLate && kind === "expiring") await world.reserve(row, { expiresAtMs, checkpointed });
  if (!isLate && kind === "idle") await world.reserve(row, { expiresAtMs, checkpointed: 0 });
  if ((kind === "late") === isLate && (kind === "settled" || kind === "late")) await world.settle(row);
  if (!isLate && (kind === "voided" || kind === "lateMarked")) await world.settle(row);
  if ((kind === "voided" && !isLate) || (kind === "lateMarked" && isLate)) await world.mark(row);
}

/** A sealer's store: each call waits for its turn, some are throttled or lose their acknowledgement, and at some call it dies. */
function worstLean(world: SealingWorld, turns: Turns, random: Random): LeanDynamo {
  let callsLeft = random.chance(0.7) ? random.below(400) : Number.POSITIVE_INFINITY;
  const lean = leanOver(world.store, {
    async before() {
      await turns.take();
      callsLeft -= 1;
      if (callsLeft < 0) throw new Killed();
      if (random.chance(0.02)) throw new DynamoRefusal("ProvisionedThroughputExceededException", "slow down");
    },
    after: () => {
      if (callsLeft === 0) throw new Killed();
      if (random.chance(0.02)) throw new Error("the connection was closed");
    },
  });
  return createPatientLean(lean, { wait: async () => {} });
}

async function sealAllTheWhile(world: SealingWorld, plan: readonly Planned[], random: Random) {
  const turns = createTurns(random.below);
  const sealers = Array.from({ length: 2 + random.below(2) }, (_, place) => world.sealer(worstLean(world, turns, random.fork(`${place}`))));
  const gateway = async () => {
    for (const planned of plan) {
      for (let waits = random.below(20); waits > 0; waits -= 1) await turns.take();
      await play(world, planned, true);
    }
  };
  const nowMs = START_MS + 2 * HOUR_MS + 15 * MINUTE_MS;
  const rounds = sealers.map((sealer) => roundsAt(sealer, nowMs).catch(() => undefined));
  await turns.until(Promise.all([...rounds, gateway()]));
}

test(
  "however sealers meet, die and are ill served, seals and totals are what the rows are",
  async () => {
    const property = fc.asyncProperty(fc.integer(), async (seed) => {
      const random = createRandom(seed);
      const world = createSealingWorld({ schedule: SCHEDULE, firstTenantAtMs: START_MS + MINUTE_MS });
      const plan = planOf(random);
      for (const planned of plan) await play(world, planned, false);

      await sealAllTheWhile(world, plan, random);
      const revisionOne = await listed(world.seals.seals(HOURS));
      await sealAllTheWhile(world, [], random);
      for (const seal of revisionOne) expect(await listed(world.seals.seals(HOURS))).toContainEqual(seal); // never changed before the re-audit
      await world.sealAt(AUDITED_MS);

      await expectFigures(world, billedOf(plan));
      expect(world.logged).toEqual([]);
    });

    await fc.assert(property, { numRuns: RUNS, endOnFailure: true });
  },
  TIMEOUT_MS,
);

async function expectFigures(world: SealingWorld, billed: readonly UsageRow[]) {
  const completeness = await world.seals.completeness(HOURS);
  expect(completeness).toEqual({ sealed: 300, audited: 300, of: 300 });
  const seals = await listed(world.seals.seals(HOURS));
  for (const seal of seals) {
    const rows = billed.filter((row) => ledgerAddress(row, SCHEDULE).pk === `m#${seal.minute}#${seal.shard}`);
    expect([seal.rowCount, seal.digest]).toEqual([rows.length, digestOf(rows)]);
    for (const part of seal.tenants) expect(part.digest).toBe(digestOf(rows.filter(({ tenant }) => tenant === part.tenant)));
  }
  expect(seals.reduce((sum, { rowCount }) => sum + rowCount, 0)).toBe(billed.length);
  for (const tenant of TENANTS)
    await expectTenant(
      world,
      tenant,
      billed.filter((row) => row.tenant === tenant),
    );
}

async function expectTenant(world: SealingWorld, tenant: string, rows: readonly UsageRow[]) {
  for (const kind of ["hour", "day", "month"] as const) {
    const totals = await listed(world.totals.totals(tenant, kind, HOURS));
    const counts: Record<string, readonly number[]> = {};
    const histograms: Record<string, Record<number, number>> = {};
    for (const { sums, seconds } of totals) {
      for (const sum of sums) {
        const key = [tenant, sum.model, sum.version, sum.arm, sum.tier, sum.priceVersion].join(" ");
        const part = [sum.requests, sum.inputs, sum.inputTokens, sum.outputTokens, sum.computeMs];
        counts[key] = part.map((count, place) => count + (counts[key]?.[place] ?? 0));
      }
      for (const { model, histogram } of seconds) {
        const known = histograms[`${tenant} ${model}`] ?? {};
        for (const [requests, count] of histogram) known[requests] = (known[requests] ?? 0) + count;
        histograms[`${tenant} ${model}`] = known;
      }
    }
    expect(counts).toEqual(countsOf(rows));
    expect(histograms).toEqual(histogramsOf(rows));
  }
  const read = await listed(world.rows.rows(tenant, HOURS));
  expect(digestOf(read)).toBe(digestOf(rows));
  const { completeness, uses } = await world.seals.leases(tenant, HOURS);
  expect(completeness.sealed).toBe(completeness.of);
  for (const lease of ["l0", "l1"]) {
    const used = uses.find((each) => each.lease === lease)?.sums.reduce((sum, { requests }) => sum + requests, 0) ?? 0;
    expect(used).toBe(rows.filter((row) => row.lease === lease).length);
  }
}
