import type { Guard } from "../harness/fake-dynamo/guards.ts";
import { focusOn, focusOnStep, stepOf } from "./focus.ts";
import { isListed } from "./guard-list.ts";
import { type History, runHistory, type Settings } from "./history.ts";
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
  /** A history counts only if it breaks nothing where these alone are ignored. */
  readonly butNotBy?: readonly Guard[];
};

/**
 * Ignores guards and looks for the first history that breaks a promise without them; answers also how many histories that took, and how many writes
 * went through in them that nothing but the guards would have refused.
 */
export async function findGuards(
  guards: readonly Guard[],
  { seedsMax, mayGoOn = () => true, butNotBy = [] }: Search,
): Promise<{ tried: number; passedOver: number; found?: Found }> {
  installVirtualTimers();
  const focus = focusOn(guards);
  let [tried, passedOver] = [0, 0];
  for (let seed = 1; seed <= seedsMax && mayGoOn(); seed += 1) {
    tried = seed;
    const broken = await runBroken(seed, { ignored: new Set(guards), focus });
    passedOver += broken.passedOver;
    if (broken.violation === undefined) continue;
    const isByOthers = butNotBy.length > 0 && (await runBroken(seed, { ignored: new Set(butNotBy), focus })).violation !== undefined;
    if (!isByOthers) return { tried, passedOver, found: { seed, violation: broken.violation } };
  }
  return { tried, passedOver };
}

/** A history that comes to no end, or finds what can never be, is broken, too. */
async function runBroken(seed: number, settings: Settings): Promise<{ violation: string | undefined; passedOver: number }> {
  try {
    const { violations, passedOver } = await runHistory(String(seed), settings);
    return { violation: violations[0], passedOver };
  } catch (cause) {
    return { violation: cause instanceof Error ? cause.message : String(cause), passedOver: 0 };
  }
}

function addCounts(counts: Record<string, number>, { counts: more, attempts }: History) {
  for (const [name, count] of Object.entries({ ...more, requests: attempts.length })) counts[name] = (counts[name] ?? 0) + count;
  for (const { ending } of attempts) if (ending !== "answered") counts[ending] = (counts[ending] ?? 0) + 1;
}
