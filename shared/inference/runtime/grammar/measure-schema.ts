import { refusal } from "./schema.ts";

/** Values of a schema's JSON, counted one by one, and UTF-16 units of its names and texts. Both bound all that is done with it later. */
const VALUES_MAX = 10_000;
const UNITS_MAX = 65_536;
/** Of the schema's own JSON; a schema within a schema is two levels deeper, behind its name in `properties`. */
const LEVELS_MAX = 128;

/** Refuses what is too large or too deep to be read by recursion. Itself it loops, so that no depth harms it, and it stops at the first limit. */
export function measureSchema(schema: unknown, path: string): void {
  let level: readonly unknown[] = [schema];
  let values = 0;
  let units = 0;
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > LEVELS_MAX) throw refusal(path, `The schema is nested deeper than ${LEVELS_MAX} levels`);
    const below: unknown[] = [];
    for (const value of level) {
      values += 1;
      units += unitsOf(value);
      if (values + below.length > VALUES_MAX) throw refusal(path, `The schema has more than ${VALUES_MAX} values`);
      if (units > UNITS_MAX) throw refusal(path, `The schema's names and texts are longer than ${UNITS_MAX} characters`);
      for (const part of partsOf(value)) below.push(part);
    }
    level = below;
  }
}

function unitsOf(value: unknown): number {
  if (typeof value === "string") return value.length;
  if (!isRecord(value)) return 0;
  return Object.keys(value).reduce((sum, name) => sum + name.length, 0);
}

function partsOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  return isRecord(value) ? Object.values(value) : [];
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
