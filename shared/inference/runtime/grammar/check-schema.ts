import { ANNOTATIONS, KEYWORDS } from "./keywords.ts";
import { isRecord, measureSchema } from "./measure-schema.ts";
import { demandsOf, type Place, placeBelow, refusal, type Schema } from "./schema.ts";

/** Where a schema stands in OpenAI's request. */
const ROOT_PATH = "response_format.json_schema.schema";
const KEYWORD_UNITS_MAX = 80;
/** Schemas that demand one another of the same value. */
const CHAIN_MAX = 64;

/**
 * Refuses, with `invalid_request` and the keyword's name and path, a JSON schema (2020-12) that answers cannot be held to.
 *
 * Supported: `type`, `enum`, `const`; `properties`, `required`, `additionalProperties`; `items`, `minItems`, `maxItems`; `minLength`, `maxLength`;
 * `minimum`, `maximum`, `exclusiveMinimum`, `exclusiveMaximum`; `anyOf`, `allOf`; `$ref` into the same document, recursion included, `$defs`,
 * `definitions`; `true` and `false`. Annotations are ignored. All else is refused rather than ignored, `pattern` and `format` too: an answer that
 * silently breaks a rule is worse than none.
 */
export function checkSchema(schema: unknown): void {
  readSchema(schema);
}

/** The same, and what was read. */
export function readSchema(document: unknown): Schema {
  measureSchema(document, ROOT_PATH);
  const reading: Reading = { byPointer: new Map(), references: [] };
  const root = readOne(reading, document, { path: ROOT_PATH, pointer: "" });
  for (const { schema, reference } of reading.references) schema.target = findTarget(reading, reference, `${schema.path}.$ref`);
  refuseLoops([...reading.byPointer.values()]);
  return root;
}

type MutableSchema = { -readonly [Key in keyof Schema]: Schema[Key] };
type Reading = {
  readonly byPointer: Map<string, MutableSchema>;
  /** References are followed once all schemas are read: they may lead forward. */
  readonly references: { readonly schema: MutableSchema; readonly reference: unknown }[];
};

function readOne(reading: Reading, json: unknown, place: Place): Schema {
  const schema: MutableSchema = { id: reading.byPointer.size, path: place.path };
  reading.byPointer.set(place.pointer, schema);
  if (json === true) return schema;
  if (json === false) return Object.assign(schema, { isNever: true as const });
  if (!isRecord(json)) throw refusal(place.path, "A schema must be an object, true or false");
  for (const [keyword, value] of Object.entries(json)) {
    if (keyword === "$ref") reading.references.push({ schema, reference: value });
    else Object.assign(schema, readKeyword(reading, value, { keyword, place }));
  }
  refuseContradictions(schema);
  return schema;
}

function readKeyword(reading: Reading, value: unknown, { keyword, place }: { keyword: string; place: Place }): Partial<Schema> {
  if (ANNOTATIONS.has(keyword) || keyword.startsWith("x-")) return {};
  // Deeper down it would move what "#" means; at the root all references are within it anyway.
  if (keyword === "$id" && place.pointer === "") return {};
  const read = KEYWORDS.get(keyword);
  const below = placeBelow(place, keyword);
  if (read === undefined) throw refusal(below.path, `The keyword ${JSON.stringify(keyword.slice(0, KEYWORD_UNITS_MAX))} is not supported`);
  return read(value, below, (json, at) => readOne(reading, json, at));
}

/** What no value can meet, where it shows in one schema. Deeper contradictions show when the grammar is compiled. */
function refuseContradictions({ path, ...schema }: Schema): void {
  const pairs = [
    { min: schema.lengthMin, max: schema.lengthMax, names: "minLength and maxLength" },
    { min: schema.itemsMin, max: schema.itemsMax, names: "minItems and maxItems" },
    { min: schema.minimum, max: schema.maximum, names: "minimum and maximum" },
    { min: schema.exclusiveMinimum, max: schema.exclusiveMaximum, names: "exclusiveMinimum and exclusiveMaximum" },
  ];
  for (const { min, max, names } of pairs) {
    if (min !== undefined && max !== undefined && min > max) throw refusal(path, `${names}: nothing lies between ${min} and ${max}`);
  }
}

function findTarget({ byPointer }: Reading, reference: unknown, path: string): Schema {
  if (typeof reference !== "string") throw refusal(path, "$ref: must be a text");
  if (!reference.startsWith("#")) throw refusal(path, "$ref: only references within the schema, such as #/$defs/node, are supported");
  const target = byPointer.get(decodeFragment(reference.slice(1), path));
  if (target === undefined) throw refusal(path, `$ref: there is no schema at ${reference}`);
  return target;
}

function decodeFragment(fragment: string, path: string): string {
  try {
    return decodeURIComponent(fragment);
  } catch {
    // A malformed escape is the caller's mistake, and the error says no more than that.
    throw refusal(path, "$ref: the reference is not a URI fragment");
  }
}

/** A schema that demands itself of the same value says nothing, and would be followed for ever. */
function refuseLoops(schemas: readonly Schema[]): void {
  const settled = new Set<Schema>();
  const open = new Set<Schema>();
  const visit = (schema: Schema): void => {
    if (settled.has(schema)) return;
    if (open.has(schema)) throw refusal(schema.path, "$ref: the reference leads back to itself without any content between");
    if (open.size >= CHAIN_MAX) throw refusal(schema.path, `$ref: more than ${CHAIN_MAX} schemas in a row only lead to the next`);
    open.add(schema);
    for (const next of [...demandsOf(schema), ...(schema.anyOf ?? [])]) visit(next);
    open.delete(schema);
    settled.add(schema);
  };
  for (const schema of schemas) visit(schema);
}
