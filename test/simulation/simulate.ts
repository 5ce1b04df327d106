import type { Guard } from "../harness/fake-dynamo/guards.ts";
import { type History, runHistory } from "./history.ts";
import { installVirtualTimers } from "./virtual-timers.ts";

export type Simulated = {
  readonly histories: number;
  readonly counts: Readonly<Record<string, number>>;
  /** `seed: what was broken`; none, if all promises were kept. */
  readonly violations: readonly string[];
  readonly guards: ReadonlySet<Guard>;
};

/** Runs the histories of the seeds `first`, `first + 1`, … one after the other. */
export async function simulate(range: { first: number; count: number }, ignored: ReadonlySet<Guard> = new Set()): Promise<Simulated> {
  installVirtualTimers();
  const counts: Record<string, number> = {};
  const violations: string[] = [];
  const guards = new Set<Guard>();
  for (let seed = range.first; seed < range.first + range.count; seed += 1) {
    const history = await runHistory(String(seed), ignored);
    violations.push(...history.violations.map((each) => `seed ${seed}: ${each}`));
    for (const guard of history.guards) guards.add(guard);
    addCounts(counts, history);
  }
  return { histories: range.count, counts, violations, guards };
}

function addCounts(counts: Record<string, number>, { counts: more, attempts }: History) {
  const endings = attempts.map(({ ending }) => ending);
  for (const [name, count] of Object.entries({ ...more, requests: attempts.length })) counts[name] = (counts[name] ?? 0) + count;
  for (const ending of endings) counts[ending] = (counts[ending] ?? 0) + (ending === "answered" ? 0 : 1);
}
