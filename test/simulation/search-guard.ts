import type { Listed } from "./guard-list.ts";
import { type Found, findGuards } from "./simulate.ts";

const SEEDS_MAX = 10_000;

/** What came of looking for a guard: found, or found once those that cover it are gone, too. `tried` histories without it alone. */
export type Searched = {
  readonly kind: "found" | "covered" | "not found";
  readonly tried: number;
  readonly by?: string;
  readonly seed?: number;
  readonly violation?: string;
};

/** Looks for as long as it may; then, if something stands beside the guard, without both. */
export async function searchGuard({ guard, coveredBy = [] }: Listed, cpuSeconds: number): Promise<Searched> {
  const alone = await findGuards([guard], { seedsMax: SEEDS_MAX, mayGoOn: withinCpu(cpuSeconds) });
  if (alone.found !== undefined) return { kind: "found", tried: alone.tried, violation: alone.found.violation };
  if (coveredBy.length === 0) return { kind: "not found", tried: alone.tried };
  const { found }: { found?: Found } = await findGuards([guard, ...coveredBy], { seedsMax: SEEDS_MAX, mayGoOn: withinCpu(cpuSeconds) });
  if (found === undefined) return { kind: "not found", tried: alone.tried };
  return { kind: "covered", tried: alone.tried, by: coveredBy.join(", "), ...found };
}

/** By the work of this process and not by the clock: a busy machine looks as hard, only longer. */
function withinCpu(seconds: number): () => boolean {
  const start = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(start);
    return user + system < seconds * 1e6;
  };
}
