import type { Guard } from "../harness/fake-dynamo/guards.ts";
import { type History, runHistory } from "./history.ts";
import { installVirtualTimers } from "./virtual-timers.ts";

export type Simulated = {
  readonly histories: number;
  readonly counts: Readonly<Record<string, number>>;
  /** Seed and focus, and what was broken; none, if all promises were kept. */
  readonly violations: readonly string[];
  readonly guards: ReadonlySet<Guard>;
};

/** Runs the histories of the seeds `first`, `first + 1`, … one after the other; in every other one the calls of one step go wrong above all. */
export async function simulate(range: { first: number; count: number }): Promise<Simulated> {
  installVirtualTimers();
  const counts: Record<string, number> = {};
  const violations: string[] = [];
  const guards = new Set<Guard>();
  for (let seed = range.first; seed < range.first + range.count; seed += 1) {
    const steps = [...new Set([...guards].map(stepOf))].sort();
    const focus = seed % 2 === 0 && steps.length > 0 ? steps[(seed / 2) % steps.length] : undefined;
    const history = await runHistory(String(seed), { focus });
    violations.push(...history.violations.map((each) => `seed ${seed}, focus ${focus ?? "none"}: ${each}`));
    for (const guard of history.guards) guards.add(guard);
    addCounts(counts, history);
  }
  return { histories: range.count, counts, violations, guards };
}

export type Found = { readonly guard: Guard; readonly seed: number; readonly violation: string };

/** Ignores a guard and looks for the first history that breaks a promise without it. */
export async function findGuard(guard: Guard, seedsMax: number): Promise<Found | undefined> {
  installVirtualTimers();
  const settings = { ignored: new Set([guard]), focus: stepOf(guard) };
  for (let seed = 1; seed <= seedsMax; seed += 1) {
    // A history that comes to no end, or finds what can never be, has found it, too.
    const violations = await runHistory(String(seed), settings).then(
      (history) => history.violations,
      (cause: unknown) => [cause instanceof Error ? cause.message : String(cause)],
    );
    const [violation] = violations;
    if (violation !== undefined) return { guard, seed, violation };
  }
  return undefined;
}

function stepOf(guard: Guard): string {
  return guard.slice(0, guard.lastIndexOf(" IF "));
}

function addCounts(counts: Record<string, number>, { counts: more, attempts }: History) {
  for (const [name, count] of Object.entries({ ...more, requests: attempts.length })) counts[name] = (counts[name] ?? 0) + count;
  for (const { ending } of attempts) if (ending !== "answered") counts[ending] = (counts[ending] ?? 0) + 1;
}
