import { alternativesOf } from "./alternatives.ts";
import { buildByteTree } from "./byte-tree.ts";
import { type Effort, spend } from "./effort.ts";
import { fits } from "./fits.ts";
import { mayBecomeNumber, numberRange } from "./number-range.ts";
import { KINDS, type Kind, pathOf, refusal, type Schema } from "./schema.ts";
import { LEVELS_MAX, type ObjectShape, type Position, type Property, type Shape } from "./shape.ts";

/** Positions of one grammar: conditions that meet in ever new combinations would multiply without it. */
const POSITIONS_MAX = 2_000;
/** Of one position: an answer may begin all of them side by side. */
const SHAPES_MAX = 32;
const PROPERTIES_MAX = 1_000;
/** Of effort, for each UTF-16 unit of a text in a tree. */
const STEPS_PER_UNIT = 4;
/** Of the names of properties that no schema declares, in characters. */
const OTHER_NAME_LENGTH_MAX = 64;

/** Spells a JSON text in the bytes that the vocabulary has. */
export type Spell = (json: string) => Uint8Array;

/**
 * What may be written for a schema. A position is known by the set of schemas that its value must meet, so that recursion makes a circle, and `anyOf`
 * beside other keywords, `allOf` and `$ref` mean what they say. Fails with `invalid_request` if no value fits or the combinations are too many.
 */
export function planShapes(root: Schema, spell: Spell, effort: Effort): Position {
  const planning: Planning = { spell, positions: new Map(), shapeCount: 0, waiting: [], effort };
  const position = positionOf(planning, [root]);
  for (let next = planning.waiting.pop(); next !== undefined; next = planning.waiting.pop()) expand(planning, next);
  const positions = [...planning.positions.values()];
  // After n rounds all values of fewer than n levels are settled; which others there are does not matter.
  for (let round = 0; round <= LEVELS_MAX + 1; round++) if (positions.filter(lowerLevels).length === 0) break;
  for (const each of positions) each.shapes = each.shapes.filter(({ levels }) => levels <= LEVELS_MAX);
  if (position.shapes.length === 0) throw refusal(root.path, `No value of at most ${LEVELS_MAX} levels meets the schema`);
  return position;
}

type Draft<Type> = { -readonly [Key in keyof Type]: Type[Key] };
type DraftPosition = { readonly schemas: readonly Schema[]; shapes: readonly Draft<Shape>[]; levels: number };
type Planning = {
  readonly spell: Spell;
  readonly positions: Map<string, DraftPosition>;
  shapeCount: number;
  readonly waiting: DraftPosition[];
  readonly effort: Effort;
};

function positionOf(planning: Planning, schemas: readonly Schema[]): Position {
  const distinct = [...new Set(schemas)];
  const key = distinct
    .map(({ id }) => id)
    .toSorted((a, b) => a - b)
    .join();
  const known = planning.positions.get(key);
  if (known !== undefined) return known;
  if (planning.positions.size >= POSITIONS_MAX) throw refusal(pathOf(schemas), `The schema has more than ${POSITIONS_MAX} kinds of values`);
  const position: DraftPosition = { schemas: distinct, shapes: [], levels: Number.POSITIVE_INFINITY };
  planning.positions.set(key, position);
  planning.waiting.push(position);
  return position;
}

function expand(planning: Planning, position: DraftPosition): void {
  const alternatives = alternativesOf(position.schemas, planning.effort);
  const literals: string[] = [];
  const shapes: Draft<Shape>[] = [];
  for (const schemas of alternatives) {
    if (schemas.some(({ isNever }) => isNever)) continue;
    const values = valuesOf(schemas, planning.effort);
    const kinds = kindsOf(schemas);
    if (values !== undefined) literals.push(...values.map((value) => JSON.stringify(value)));
    else {
      literals.push(...LITERALS_BY_KIND.flatMap(([kind, texts]) => (kinds.has(kind) ? texts : [])));
      shapes.push(...shapesOf(planning, schemas, kinds));
    }
    if (shapes.length > SHAPES_MAX) throw refusal(pathOf(position.schemas), `anyOf: more than ${SHAPES_MAX} kinds of values at one place`);
  }
  if (literals.length > 0)
    shapes.push({ kind: "literal", id: planning.shapeCount++, levels: 0, tree: treeOf(literals, planning, position.schemas) });
  position.shapes = shapes;
}

const LITERALS_BY_KIND: readonly (readonly [Kind, readonly string[]])[] = [
  ["null", ["null"]],
  ["boolean", ["true", "false"]],
];

function treeOf(texts: readonly string[], { effort, spell }: Pick<Planning, "effort" | "spell">, schemas: readonly Schema[]) {
  for (const text of texts) spend(effort, STEPS_PER_UNIT * text.length, pathOf(schemas));
  return buildByteTree(texts.map((text, index) => ({ bytes: spell(text), end: index })));
}

/** The constants that all schemas allow, if any schema lists some. */
function valuesOf(schemas: readonly Schema[], effort: Effort): readonly unknown[] | undefined {
  const lists = schemas.flatMap(({ values, constant }) => [...(values ? [[...values]] : []), ...(constant ? [[constant.value]] : [])]);
  const [candidates] = lists.toSorted((a, b) => a.length - b.length);
  return candidates?.filter((value) => schemas.every((schema) => fits(schema, value, effort)));
}

/** Where no type is said, the other keywords tell what is meant: `properties` an object. JSON Schema would allow all other types, too. */
function kindsOf(schemas: readonly Schema[]): ReadonlySet<Kind> {
  const said = schemas.flatMap(({ kinds }) => (kinds ? [new Set(kinds)] : []));
  const implied = new Set(schemas.flatMap(impliedKinds));
  const sets = said.length > 0 ? said : [implied.size > 0 ? implied : new Set(KINDS)];
  return new Set(KINDS.filter((kind) => sets.every((kinds) => kinds.has(kind))));
}

function impliedKinds(schema: Schema): readonly Kind[] {
  const isOf = (...values: readonly unknown[]) => values.some((value) => value !== undefined);
  return [
    ...(isOf(schema.properties, schema.required, schema.additional) ? (["object"] as const) : []),
    ...(isOf(schema.items, schema.itemsMin, schema.itemsMax) ? (["array"] as const) : []),
    ...(isOf(schema.lengthMin, schema.lengthMax) ? (["string"] as const) : []),
    ...(isOf(schema.minimum, schema.maximum, schema.exclusiveMinimum, schema.exclusiveMaximum) ? (["integer", "fraction"] as const) : []),
  ];
}

function shapesOf(planning: Planning, schemas: readonly Schema[], kinds: ReadonlySet<Kind>): readonly Draft<Shape>[] {
  const shapes: Draft<Shape>[] = [];
  const id = () => planning.shapeCount++;
  const lengthMin = highest(schemas.map((schema) => schema.lengthMin));
  const lengthMax = lowest(schemas.map((schema) => schema.lengthMax));
  if (kinds.has("object")) shapes.push(objectOf(planning, schemas));
  if (kinds.has("array")) shapes.push(...arraysOf(planning, schemas));
  if (kinds.has("string") && lengthMin <= lengthMax) shapes.push({ kind: "string", id: id(), levels: 0, lengthMin, lengthMax });
  if (kinds.has("integer") || kinds.has("fraction")) {
    const range = rangeOf(schemas, !kinds.has("fraction"));
    if (mayBecomeNumber(range, "")) shapes.push({ kind: "number", id: id(), levels: 0, range });
  }
  return shapes;
}

function rangeOf(schemas: readonly Schema[], isInteger: boolean) {
  const bounds = (of: (schema: Schema) => number | undefined, isExclusive: boolean) =>
    schemas.flatMap((schema) => {
      const value = of(schema);
      return value === undefined ? [] : [{ value, isExclusive }];
    });
  return numberRange({
    lower: [...bounds(({ minimum }) => minimum, false), ...bounds(({ exclusiveMinimum }) => exclusiveMinimum, true)],
    upper: [...bounds(({ maximum }) => maximum, false), ...bounds(({ exclusiveMaximum }) => exclusiveMaximum, true)],
    isInteger,
  });
}

function arraysOf(planning: Planning, schemas: readonly Schema[]): readonly Draft<Shape>[] {
  const itemsMin = highest(schemas.map((schema) => schema.itemsMin));
  const itemsMax = lowest(schemas.map((schema) => schema.itemsMax));
  if (itemsMin > itemsMax) return [];
  const items = positionOf(
    planning,
    schemas.flatMap((schema) => schema.items ?? []),
  );
  return [{ kind: "array", id: planning.shapeCount++, levels: Number.POSITIVE_INFINITY, items, itemsMin, itemsMax }];
}

function objectOf(planning: Planning, schemas: readonly Schema[]): Draft<ObjectShape> {
  const required = new Set(schemas.flatMap((schema) => schema.required ?? []));
  const names = [...new Set([...schemas.flatMap(({ properties }) => [...(properties?.keys() ?? [])]), ...required])];
  if (names.length > PROPERTIES_MAX) throw refusal(pathOf(schemas), `properties: more than ${PROPERTIES_MAX} at one place`);
  const properties = names.map((name) => propertyOf(planning, schemas, { name, isRequired: required.has(name) }));
  const spelled = names.map((name) => JSON.stringify(name).slice(1));
  return {
    kind: "object",
    id: planning.shapeCount++,
    levels: Number.POSITIVE_INFINITY,
    properties,
    additional: additionalOf(planning, schemas, names.length > 0),
    names: treeOf(
      spelled.map((name) => `${name}:`),
      planning,
      schemas,
    ),
    taken: treeOf(spelled, { effort: planning.effort, spell: (json) => Buffer.from(json) }, schemas),
    nameLengthMax: Math.max(OTHER_NAME_LENGTH_MAX, ...names.map((name) => name.length + 1)),
    nextEnds: nextEndsOf(properties),
    requiredEnd: properties.findLastIndex(({ isRequired }) => isRequired) + 1,
  };
}

function propertyOf(planning: Planning, schemas: readonly Schema[], property: Pick<Property, "name" | "isRequired">): Property {
  spend(planning.effort, schemas.length, pathOf(schemas));
  return {
    ...property,
    position: positionOf(
      planning,
      schemas.flatMap(({ properties, additional }) => properties?.get(property.name) ?? additional ?? []),
    ),
  };
}

function nextEndsOf(properties: readonly Property[]): readonly number[] {
  const ends: number[] = [];
  let end = properties.length;
  for (const [index, { isRequired }] of [...properties.entries()].toReversed()) {
    if (isRequired) end = index + 1;
    ends.push(end);
  }
  return ends.toReversed();
}

/** An object that lists its properties has these alone, unless it says otherwise: more are allowed by JSON Schema, and never what was meant. */
function additionalOf(planning: Planning, schemas: readonly Schema[], isListed: boolean): Position | undefined {
  const said = schemas.flatMap(({ additional }) => additional ?? []);
  return said.length === 0 && isListed ? undefined : positionOf(planning, said);
}

/** Finds shorter values through shorter parts, and says whether it did. */
function lowerLevels(position: DraftPosition): boolean {
  for (const shape of position.shapes) shape.levels = levelsOf(shape);
  const levels = Math.min(...position.shapes.map((shape) => shape.levels));
  const isLower = levels < position.levels;
  position.levels = Math.min(levels, position.levels);
  return isLower;
}

function levelsOf(shape: Shape): number {
  if (shape.kind === "array") return shape.itemsMin === 0 ? 1 : 1 + shape.items.levels;
  if (shape.kind !== "object") return 0;
  return 1 + Math.max(0, ...shape.properties.map(({ isRequired, position }) => (isRequired ? position.levels : 0)));
}

function highest(values: readonly (number | undefined)[]): number {
  return Math.max(0, ...values.map((value) => value ?? 0));
}

function lowest(values: readonly (number | undefined)[]): number {
  return Math.min(Number.POSITIVE_INFINITY, ...values.map((value) => value ?? Number.POSITIVE_INFINITY));
}
