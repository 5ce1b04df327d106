import { type Effort, spend } from "./effort.ts";
import { isRecord } from "./measure-schema.ts";
import type { Kind, Schema } from "./schema.ts";

/** Whether a value is valid: `enum` and `const` are written as they are, so the rest of the schema is asked of them beforehand. */
export function fits(schema: Schema, value: unknown, effort: Effort): boolean {
  spend(effort, 1, schema.path);
  if (schema.isNever) return false;
  if (schema.kinds !== undefined && !schema.kinds.includes(kindOf(value))) return false;
  if (schema.values !== undefined && !isAmong(schema.values, value, () => spend(effort, 1, schema.path))) return false;
  if (schema.constant !== undefined && !isSame(schema.constant.value, value)) return false;
  if (schema.anyOf !== undefined && !schema.anyOf.some((each) => fits(each, value, effort))) return false;
  if (schema.target !== undefined && !fits(schema.target, value, effort)) return false;
  if (schema.allOf?.some((each) => !fits(each, value, effort))) return false;
  return fitsOwn(schema, value, effort);
}

function isAmong(values: ReadonlySet<unknown>, value: unknown, compared: () => void): boolean {
  if (values.has(value)) return true;
  if (typeof value !== "object" || value === null) return false;
  return [...values].some((each) => {
    compared();
    return isSame(each, value);
  });
}

function isSame(a: unknown, b: unknown): boolean {
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, index) => isSame(item, b[index]));
  if (!isRecord(a)) return a === b;
  if (!isRecord(b) || Object.keys(a).length !== Object.keys(b).length) return false;
  return Object.entries(a).every(([name, value]) => Object.hasOwn(b, name) && isSame(value, b[name]));
}

function kindOf(value: unknown): Kind {
  if (value === null) return "null";
  if (typeof value === "string") return "string";
  if (typeof value === "boolean") return "boolean";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "fraction";
  return Array.isArray(value) ? "array" : "object";
}

function fitsOwn(schema: Schema, value: unknown, effort: Effort): boolean {
  if (typeof value === "string") return isWithin(Array.from(value).length, schema.lengthMin, schema.lengthMax);
  if (typeof value === "number") return fitsNumber(schema, value);
  if (Array.isArray(value)) {
    const { items } = schema;
    return (
      isWithin(value.length, schema.itemsMin, schema.itemsMax) && (items === undefined || value.every((item) => fits(items, item, effort)))
    );
  }
  return !isRecord(value) || fitsObject(schema, value, effort);
}

function fitsNumber({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: Schema, value: number): boolean {
  if (exclusiveMinimum !== undefined && value <= exclusiveMinimum) return false;
  if (exclusiveMaximum !== undefined && value >= exclusiveMaximum) return false;
  return isWithin(value, minimum, maximum);
}

function fitsObject({ properties, required, additional }: Schema, value: Readonly<Record<string, unknown>>, effort: Effort): boolean {
  if (required?.some((name) => !Object.hasOwn(value, name))) return false;
  return Object.entries(value).every(([name, part]) => {
    const schema = properties?.get(name) ?? additional;
    return schema === undefined || fits(schema, part, effort);
  });
}

function isWithin(value: number, min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY): boolean {
  return value >= min && value <= max;
}
