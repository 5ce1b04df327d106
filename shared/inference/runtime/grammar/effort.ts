import { refusal } from "./schema.ts";

/**
 * What one grammar may cost: steps of planning, weighted so that one is about a tenth of a microsecond and twenty bytes. Small schemas can ask for a lot,
 * by references to the same parts in ever new combinations; this is where all of them end.
 */
const STEPS_MAX = 500_000;

export type Effort = { steps: number };

export function spend(effort: Effort, steps: number, path: string): void {
  effort.steps += steps;
  if (effort.steps > STEPS_MAX) throw refusal(path, "The schema's conditions meet in too many combinations");
}
