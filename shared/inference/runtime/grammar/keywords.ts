import { isRecord } from "./measure-schema.ts";
import { KINDS, type Kind, type Place, placeBelow, refusal, type Schema } from "./schema.ts";

/** Fewer are written in any answer that ends; more would only hold a generation until its last token. */
const LOWER_COUNT_MAX = 10_000;
/** Beyond what any context holds. */
const UPPER_COUNT_MAX = 1_000_000;
/** One answer begins all of them side by side. */
const BRANCHES_MAX = 64;

/** Reads one keyword's value; `read` reads a schema inside it. */
type ReadKeyword = (value: unknown, place: Place, read: ReadSchema) => Partial<Schema>;
export type ReadSchema = (schema: unknown, place: Place) => Schema;

/** Say nothing about what is valid (JSON Schema 2020-12, sections 8 and 9 of the validation vocabulary, and what others add behind `x-`). */
export const ANNOTATIONS: ReadonlySet<string> = new Set([
  "$schema",
  "$comment",
  "title",
  "description",
  "default",
  "examples",
  "deprecated",
  "readOnly",
  "writeOnly",
]);

export const KEYWORDS: ReadonlyMap<string, ReadKeyword> = new Map<string, ReadKeyword>([
  ["type", (value, { path }) => ({ kinds: readKinds(value, path) })],
  ["enum", (value, { path }) => ({ values: new Set(readList(value, path)) })],
  ["const", (value) => ({ constant: { value } })],
  ["minLength", (value, { path }) => ({ lengthMin: readCount(value, path, LOWER_COUNT_MAX) })],
  ["maxLength", (value, { path }) => ({ lengthMax: readCount(value, path, UPPER_COUNT_MAX) })],
  ["minItems", (value, { path }) => ({ itemsMin: readCount(value, path, LOWER_COUNT_MAX) })],
  ["maxItems", (value, { path }) => ({ itemsMax: readCount(value, path, UPPER_COUNT_MAX) })],
  ["minimum", (value, { path }) => ({ minimum: readNumber(value, path) })],
  ["maximum", (value, { path }) => ({ maximum: readNumber(value, path) })],
  ["exclusiveMinimum", (value, { path }) => ({ exclusiveMinimum: readNumber(value, path) })],
  ["exclusiveMaximum", (value, { path }) => ({ exclusiveMaximum: readNumber(value, path) })],
  ["items", (value, place, read) => ({ items: read(value, place) })],
  ["properties", (value, place, read) => ({ properties: readNamed(value, place, read) })],
  ["required", (value, { path }) => ({ required: readNames(value, path) })],
  ["additionalProperties", (value, place, read) => ({ additional: read(value, place) })],
  ["anyOf", (value, place, read) => ({ anyOf: readBranches(value, place, read) })],
  ["allOf", (value, place, read) => ({ allOf: readBranches(value, place, read) })],
  ["$defs", ignoreNamed],
  ["definitions", ignoreNamed],
]);

const KINDS_OF_TYPE: ReadonlyMap<unknown, readonly Kind[]> = new Map<unknown, readonly Kind[]>([
  ...KINDS.filter((kind) => kind !== "fraction").map((kind): [unknown, readonly Kind[]] => [kind, [kind]]),
  ["number", ["integer", "fraction"]],
]);

function readKinds(value: unknown, path: string): readonly Kind[] {
  const types: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (types.length === 0) throw refusal(path, "type: no type is left that a value could have");
  return types.flatMap((type) => {
    const kinds = KINDS_OF_TYPE.get(type);
    if (kinds === undefined) throw refusal(path, "type: must be null, boolean, integer, number, string, array, object, or a list of these");
    return kinds;
  });
}

function readList(value: unknown, path: string): readonly unknown[] {
  if (!Array.isArray(value) || value.length === 0) throw refusal(path, `${keywordOf(path)}: must be a list that is not empty`);
  return value;
}

function readCount(value: unknown, path: string, max: number): number {
  const isCount = typeof value === "number" && Number.isInteger(value) && value >= 0;
  if (!isCount) throw refusal(path, `${keywordOf(path)}: must be a whole number from 0 on`);
  if (value > max) throw refusal(path, `${keywordOf(path)}: must be at most ${max}`);
  return value;
}

function readNumber(value: unknown, path: string): number {
  if (typeof value !== "number" || !Number.isFinite(value)) throw refusal(path, `${keywordOf(path)}: must be a number`);
  return value;
}

function readNamed(value: unknown, place: Place, read: ReadSchema): ReadonlyMap<string, Schema> {
  if (!isRecord(value)) throw refusal(place.path, `${keywordOf(place.path)}: must be an object of schemas`);
  return new Map(Object.entries(value).map(([name, schema]) => [name, read(schema, placeBelow(place, name))]));
}

/** Definitions are read, so that references find them and mistakes in them are told, and demand nothing by themselves. */
function ignoreNamed(value: unknown, place: Place, read: ReadSchema): Partial<Schema> {
  readNamed(value, place, read);
  return {};
}

function readNames(value: unknown, path: string): readonly string[] {
  const isNames = Array.isArray(value) && value.every((name): name is string => typeof name === "string");
  if (!isNames) throw refusal(path, "required: must be a list of names");
  return value;
}

function readBranches(value: unknown, place: Place, read: ReadSchema): readonly Schema[] {
  const branches = readList(value, place.path);
  if (branches.length > BRANCHES_MAX) throw refusal(place.path, `${keywordOf(place.path)}: at most ${BRANCHES_MAX} schemas`);
  return branches.map((branch, index) => read(branch, placeBelow(place, index)));
}

function keywordOf(path: string): string {
  return path.slice(path.lastIndexOf(".") + 1);
}
