import { createBreakers } from "../../edge/serve/breakers.ts";
import { createHealthNotes } from "../../edge/serve/health-notes.ts";
import { type Candidate, type RunDeps, type RunPlan, runInOrder } from "../../edge/serve/run.ts";
import type { Call } from "../../edge/serve/serve.ts";
import { Failure } from "../../shared/base/failure.ts";
import type { CallLimits } from "../../shared/inference/contract.ts";
import { policiesOf } from "../../shared/limits/policy.ts";
import type { Placement, ReadyVersion, VersionFacts } from "../../shared/models/version.ts";
import { RATE_DEFAULT } from "../../shared/tenants/tenant.ts";
import { stopClock } from "./clock.ts";
import { createModelDouble } from "./model-double.ts";

export const FACTS: VersionFacts = { head: "embed", family: "bert", tokensMax: 16, dimensions: 8, dtypes: ["fp32", "q8"] };
export const TIMEOUT_MS = 60_000;
/** Version 2's own place, its other file, and version 1, which is on `cpu`. */
export const THREE: Placement = { pool: "gpu", dtype: "fp32", fallbacks: [{ pool: "cpu", dtype: "q8" }, { version: 1 }] };

export type Ask = { placement?: Placement; facts?: VersionFacts; call?: Partial<Call>; decideWithinMs?: number };
/** What a candidate does, by its name such as `gpu/fp32@2`: it throws, or it answers. */
export type Behave = (name: string, limits: CallLimits) => void;

export type Ordered = ReturnType<typeof startOrdered>;

/** Pools `gpu`, `cpu` and `edge`, and a model whose version 2 is asked for. */
export function startOrdered() {
  const clock = stopClock();
  const logged: string[] = [];
  const versions = [versionOf(1, { pool: "cpu", dtype: "fp32" })];
  const log = (_: string, message: string) => void logged.push(message);
  const tiers = ["gpu", "cpu", "edge"] as const;
  const deps: RunDeps = {
    clock,
    log,
    pools: new Map(tiers.map((tier) => [tier, { name: tier, tier, client: createModelDouble() }])),
    breakers: createBreakers({ clock, log }),
    health: createHealthNotes(clock),
    catalog: {
      async resolve({ reference }) {
        const version = versions.find(({ model, number }) => `${model}@${number}` === reference);
        if (version === undefined) throw new Failure("not_found", `There is no ${reference}.`);
        return { version, arm: "pinned" };
      },
      list: async () => ({ items: [] }),
      versionsOf: async () => [],
    },
  };
  const callFor = (more: Partial<Call> = {}): Call => ({
    requestId: "r",
    acceptedAtMs: clock.nowMs(),
    principal: {
      tenant: "acme",
      keyId: "k",
      scopes: new Set(["infer"]),
      policies: policiesOf({ tenant: { id: "acme", rate: RATE_DEFAULT }, key: { id: "k" } }),
    },
    ...{ dialect: "openai", reference: "m", unit: "u", fingerprint: "f", bodyBytes: 0, tell: () => {}, timeoutMs: TIMEOUT_MS },
    ...{ patienceMs: TIMEOUT_MS, mayBeSilentFor: () => {} },
    signal: new AbortController().signal,
    ...more,
  });

  /** Runs version 2 and says who was asked, with how much time, and what came of it. */
  async function run(behave: Behave, { placement = THREE, facts = FACTS, call, ...how }: Ask = {}) {
    const asked: { name: string; timeoutMs: number }[] = [];
    const attempt = async ({ version, pool, dtype }: Candidate, limits: CallLimits) => {
      const name = `${pool.name}/${dtype}@${version.number}`;
      asked.push({ name, timeoutMs: limits.timeoutMs });
      behave(name, limits);
      return name;
    };
    const plan: RunPlan<string> = { target: { version: versionOf(2, placement, facts), arm: "stable" }, attempt, ...how };
    const outcome = await runInOrder(deps, callFor(call), plan).then(
      ({ value, degraded }) => ({ value, degraded, failure: undefined }),
      (failure) => ({ value: undefined, degraded: undefined, failure }),
    );
    return { ...outcome, asked, names: asked.map(({ name }) => name) };
  }

  return { clock, logged, versions, deps, callFor, run };
}

export function versionOf(number: number, placement: Placement, facts = FACTS): ReadyVersion {
  const base = { model: "m", contentDigest: "c", files: [], manifestDigest: "d" };
  return { ...base, state: "ready", number, placement, facts };
}

/** The first candidates fail, one after the other; the rest answer. */
export function failing(...failures: Error[]): Behave {
  const left = [...failures];
  return () => {
    const failure = left.shift();
    if (failure !== undefined) throw failure;
  };
}
