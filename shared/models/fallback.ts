import { type Task, tasksOf } from "./tasks.ts";
import { Fallback, type Placement, type VersionFacts } from "./version.ts";

/** A fallback as people write it: `cpu/q8` or `@1`. */
export function fallbackName(fallback: Fallback): string {
  return "version" in fallback ? `@${fallback.version}` : `${fallback.pool}/${fallback.dtype}`;
}

/** The other way; undefined for what is neither. */
export function parseFallback(text: string): Fallback | undefined {
  const [, number, pool, dtype] = /^(?:@(\d+)|([^/]*)\/(.*))$/.exec(text) ?? [];
  return Fallback.safeParse(number === undefined ? { pool, dtype } : { version: Number(number) }).data;
}

export function fallbackNames({ fallbacks = [] }: Placement): string[] {
  return fallbacks.map(fallbackName);
}

/** The first fallback that comes twice, or that is the placement itself: asking the same place again is no fallback. */
export function repeatedFallback(placement: Placement): string | undefined {
  const names = [fallbackName({ pool: placement.pool, dtype: placement.dtype }), ...fallbackNames(placement)];
  return names.find((name, index) => names.indexOf(name) !== index);
}

/**
 * Says why a version may not answer in another one's place, or nothing if it may: clients store vectors and compare labels, so a
 * fallback must do every task of the other with answers of the same form. That it reads shorter texts is no obstacle: it is passed over for those that are too long.
 */
export function whyNoFallback(facts: VersionFacts, fallback: VersionFacts): string | undefined {
  const missing = missingTasks(facts, fallback);
  if (missing.length > 0) return `it does not do ${missing.map((task) => `'${task}'`).join(", ")}`;
  if (facts.dimensions !== fallback.dimensions)
    return `its vectors have ${fallback.dimensions ?? "no"} elements, not ${facts.dimensions ?? "none"}`;
  if (JSON.stringify(facts.labels) !== JSON.stringify(fallback.labels)) return "its labels are others, or in another order";
  return facts.chats === true && fallback.chats !== true ? "it has no template for conversations" : undefined;
}

function missingTasks(facts: VersionFacts, fallback: VersionFacts): Task[] {
  const done = tasksOf(fallback);
  return tasksOf(facts).filter((task) => !done.includes(task));
}
