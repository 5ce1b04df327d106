import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createGrammarCompiler } from "./grammar.ts";
import { createDraw } from "./random.fixture.ts";
import { readByteLevelVocabulary, syntheticVocabulary } from "./vocabulary.fixture.ts";
import { walk } from "./walk.fixture.ts";
import type { Vocabulary } from "./written-vocabulary.ts";

const SEED = 20_261;
const SCHEMAS = 1_000;

type Json = Readonly<Record<string, unknown>> | boolean;

const name = fc.constantFrom("a", "ab", "b", "name", "é", "日本", 'q"uote', "back\\slash", "new\nline", "", "😀");
const constant = fc.oneof(
  fc.constantFrom<unknown>(null, true, false, 0, -1, 12, 1, 1.5, 1e21, "", "a", "ab", "abc", "é日", '"', "\\", "\n", "😀"),
  fc.array(fc.constantFrom<unknown>(1, "x", null), { maxLength: 2 }),
  fc.dictionary(fc.constantFrom("k", "l"), fc.constantFrom<unknown>(1, [2], "y"), { maxKeys: 2, noNullPrototype: true }),
);

const string = fc.record({ minLength: fc.nat(6), more: fc.nat(6), has: fc.nat(3) }).map(({ minLength, more, has }) => ({
  type: "string",
  ...(has & 1 ? { minLength } : {}),
  ...(has & 2 ? { maxLength: minLength + more } : {}),
}));

const bound = fc.oneof(
  fc.integer({ min: -1_000, max: 1_000 }),
  fc.double({ min: -10, max: 10, noNaN: true }),
  fc.constantFrom(0, 1e-5, 1e9),
);
const number = fc
  .record({ type: fc.constantFrom("integer", "number"), low: bound, more: fc.integer({ min: 2, max: 500 }), has: fc.nat(15) })
  .map(({ type, low, more, has }) => ({
    type,
    ...(has & 1 ? { minimum: low } : {}),
    ...(has & 2 ? { maximum: low + more } : {}),
    ...(has & 4 ? { exclusiveMinimum: low - 1 } : {}),
    ...(has & 8 ? { exclusiveMaximum: low + more + 1 } : {}),
  }));

const { schema } = fc.letrec<{ schema: Json }>((tie) => ({
  schema: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    { weight: 2, arbitrary: string },
    { weight: 2, arbitrary: number },
    {
      weight: 1,
      arbitrary: fc.constantFrom<Json>({ type: "boolean" }, { type: "null" }, { type: ["string", "null"] }, { type: "object" }, true, {}),
    },
    { weight: 1, arbitrary: fc.array(constant, { minLength: 1, maxLength: 5 }).map((values) => ({ enum: values })) },
    { weight: 1, arbitrary: constant.map((value) => ({ const: value })) },
    { weight: 1, arbitrary: fc.constantFrom<Json>({ $ref: "#/$defs/tree" }, { $ref: "#/$defs/list" }) },
    { weight: 3, arbitrary: arrayOf(tie("schema")) },
    { weight: 6, arbitrary: objectOf(tie("schema")) },
    { weight: 2, arbitrary: fc.array(tie("schema"), { minLength: 1, maxLength: 3 }).map((anyOf) => ({ anyOf })) },
    {
      weight: 1,
      arbitrary: fc.tuple(objectOf(tie("schema")), objectOf(tie("schema"))).map(([a, b]) => ({ ...a, anyOf: [b, { required: ["a"] }] })),
    },
    { weight: 1, arbitrary: fc.tuple(tie("schema"), objectOf(tie("schema"))).map((allOf) => ({ allOf })) },
  ),
}));

function arrayOf(items: fc.Arbitrary<Json>) {
  return fc.record({ items, minItems: fc.nat(2), more: fc.nat(2), has: fc.nat(7) }).map(({ items, minItems, more, has }) => ({
    type: "array",
    ...(has & 4 ? {} : { items }),
    ...(has & 1 ? { minItems } : {}),
    ...(has & 2 ? { maxItems: minItems + more } : {}),
  }));
}

function objectOf(part: fc.Arbitrary<Json>) {
  return fc
    .record({
      properties: fc.uniqueArray(fc.tuple(name, part), { maxLength: 4, selector: ([key]) => key }),
      required: fc.subarray(["a", "b", "é", "name", "extra"]),
      additional: fc.option(fc.oneof(fc.constant<Json>(false), part), { nil: undefined }),
    })
    .map(({ properties, required, additional }) => ({
      type: "object",
      properties: Object.fromEntries(properties),
      required: required.filter((key) => additional !== false || properties.some(([each]) => each === key)),
      ...(additional === undefined ? {} : { additionalProperties: additional }),
    }));
}

const $defs = {
  tree: {
    type: "object",
    properties: { value: { type: "integer" }, children: { type: "array", items: { $ref: "#/$defs/tree" }, maxItems: 3 } },
    required: ["value", "children"],
    additionalProperties: false,
  },
  list: {
    anyOf: [
      { type: "null" },
      { type: "object", properties: { head: { type: "boolean" }, tail: { $ref: "#/$defs/list" } }, required: ["tail"] },
    ],
  },
};

const vocabularies: readonly Vocabulary[] = [
  readByteLevelVocabulary(),
  syntheticVocabulary({ hasBytes: true }),
  // Without single bytes beyond ASCII, so that a character is one token or is escaped.
  syntheticVocabulary({ hasBytes: false }),
];

test(`random answers to ${SCHEMAS} random schemas parse and validate, whatever the vocabulary (seed ${SEED})`, async () => {
  const compilers = await Promise.all(
    vocabularies.map(async (vocabulary) => ({ vocabulary, compiler: await createGrammarCompiler(vocabulary) })),
  );
  const ajv = new Ajv2020({ strict: false, validateFormats: false, addUsedSchema: false });

  await fc.assert(
    fc.asyncProperty(schema, fc.nat(), async (inner, seed) => {
      const whole = { $defs, allOf: [inner] };
      const texts: string[] = [];
      for (const { compiler, vocabulary } of compilers) {
        const grammar = await compiler.compile({ kind: "json_schema", schema: whole }).catch(unlessUnsatisfiable);
        fc.pre(grammar !== undefined);
        texts.push(walk(grammar, vocabulary, createDraw(seed)));
      }

      const validate = ajv.compile(whole);
      for (const text of texts) {
        expect(text).not.toContain("\ufffd");
        expect({ text, isValid: validate(JSON.parse(text)), errors: validate.errors }).toMatchObject({ isValid: true });
      }
    }),
    { seed: SEED, numRuns: SCHEMAS },
  );
}, 60_000);

/** Conditions drawn at random may contradict each other: then the refusal must say so, and another schema is drawn. */
function unlessUnsatisfiable(error: unknown): undefined {
  expect(String(error)).toContain("No value of at most");
}
