import type { Guard } from "../harness/fake-dynamo/guards.ts";
import { focusOn, focusOnStep, stepOf } from "./focus.ts";
import { isListed } from "./guard-list.ts";
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
    const step = seed % 2 === 0 ? steps[(seed / 2) % Math.max(1, steps.length)] : undefined;
    const history = await runHistory(String(seed), step === undefined ? {} : { focus: focusOnStep(step) });
    violations.push(...history.violations.map((each) => `seed ${seed}, focus ${step ?? "none"}: ${each}`));
    const strange = [...history.guards].filter((guard) => !guards.has(guard) && !isListed(guard));
    violations.push(...strange.map((guard) => `seed ${seed}: nothing is known of the guard ${guard}; list it`));
    for (const guard of history.guards) guards.add(guard);
    addCounts(counts, history);
  }
  return { histories: range.count, counts, violations, guards };
}

export type Found = { readonly seed: number; readonly violation: string };
export type Search = {
  readonly seedsMax: number;
  /** Asked before each history: whether there is time for another. */
  readonly mayGoOn?: () => boolean;
};

/** Ignores guards and looks for the first history that breaks a promise without them; answers also how many histories that took. */
export async function findGuards(
  guards: readonly Guard[],
  { seedsMax, mayGoOn = () => true }: Search,
): Promise<{ tried: number; found?: Found }> {
  installVirtualTimers();
  const settings = { ignored: new Set(guards), focus: focusOn(guards) };
  let tried = 0;
  for (let seed = 1; seed <= seedsMax && mayGoOn(); seed += 1) {
    tried = seed;
    // A history that comes to no end, or finds what can never be, has found it, too.
    const violations = await runHistory(String(seed), settings).then(
      (history) => history.violations,
      (cause: unknown) => [cause instanceof Error ? cause.message : String(cause)],
    );
    const [violation] = violations;
    if (violation !== undefined) return { tried, found: { seed, violation } };
  }
  return { tried };
}

function addCounts(counts: Record<string, number>, { counts: more, attempts }: History) {
  for (const [name, count] of Object.entries({ ...more, requests: attempts.length })) counts[name] = (counts[name] ?? 0) + count;
  for (const { ending } of attempts) if (ending !== "answered") counts[ending] = (counts[ending] ?? 0) + 1;
}
