import type { Listed } from "./guard-list.ts";
import { type Found, findGuards } from "./simulate.ts";

const SEEDS_MAX = 10_000;

/**
 * What came of looking for a guard: found, or found once those that cover it are gone, too. `tried` histories without it alone, in which `passedOver`
 * writes went through that it would have refused.
 */
export type Searched = {
  readonly kind: "found" | "covered" | "not found" | "unreachable";
  readonly tried: number;
  readonly passedOver: number;
  readonly by?: string;
  readonly seed?: number;
  readonly violation?: string;
};

/** Looks for as long as it may; then, if something stands beside the guard, without both: in a history that breaks nothing where the guard is all that is left. */
export async function searchGuard({ guard, coveredBy = [], unreachable }: Listed, cpuSeconds: number): Promise<Searched> {
  const { found: alone, ...seen } = await findGuards([guard], { seedsMax: SEEDS_MAX, mayGoOn: withinCpu(cpuSeconds) });
  if (alone !== undefined) return { kind: "found", ...seen, ...alone };
  if (coveredBy.length === 0) return { kind: unreachable === undefined ? "not found" : "unreachable", ...seen };
  const search = { seedsMax: SEEDS_MAX, mayGoOn: withinCpu(cpuSeconds), butNotBy: coveredBy };
  const { found }: { found?: Found } = await findGuards([guard, ...coveredBy], search);
  if (found === undefined) return { kind: "not found", ...seen };
  return { kind: "covered", ...seen, by: coveredBy.join(", "), ...found };
}

/** By the work of this process and not by the clock: a busy machine looks as hard, only longer. */
function withinCpu(seconds: number): () => boolean {
  const start = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(start);
    return user + system < seconds * 1e6;
  };
}
