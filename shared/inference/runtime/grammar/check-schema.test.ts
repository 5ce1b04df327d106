import { expect, test } from "vitest";
import { Failure } from "../../../base/failure.ts";
import { checkSchema } from "./check-schema.ts";

const ROOT = "response_format.json_schema.schema";

function refusalOf(schema: unknown): { code: string; field: string | undefined; message: string } | undefined {
  try {
    checkSchema(schema);
    return undefined;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { code: error.code, field: error.field, message: error.message };
  }
}

test("all of the subset is accepted, and annotations say nothing", () => {
  const schema = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    $id: "https://example.com/person",
    title: "Person",
    type: "object",
    properties: {
      name: { type: "string", minLength: 1, maxLength: 80, description: "a name", examples: ["Ada"] },
      age: { type: ["integer", "null"], minimum: 0, exclusiveMaximum: 150, default: 3, deprecated: true, "x-order": 2 },
      tags: { type: "array", items: { enum: ["a", "b"] }, minItems: 0, maxItems: 5 },
      boss: { anyOf: [{ $ref: "#" }, { const: null }] },
      home: { $ref: "#/$defs/a~1b%20c" },
    },
    required: ["name"],
    additionalProperties: false,
    $defs: { "a/b c": { allOf: [true, { type: "object" }] } },
  };

  expect(refusalOf(schema)).toBeUndefined();
});

test.each([
  ["uniqueItems", { properties: { a: { type: "array", uniqueItems: true } } }, "properties.a.uniqueItems"],
  ["pattern", { items: { type: "string", pattern: "(a+)+$" } }, "items.pattern"],
  ["format", { anyOf: [true, { format: "date" }] }, "anyOf.1.format"],
  ["not", { not: {} }, "not"],
  ["oneOf", { $defs: { x: { oneOf: [] } } }, "$defs.x.oneOf"],
  ["patternProperties", { patternProperties: {} }, "patternProperties"],
  ["multipleOf", { additionalProperties: { multipleOf: 2 } }, "additionalProperties.multipleOf"],
  ["minimun", { minimun: 2 }, "minimun"],
  ["__proto__", JSON.parse('{"__proto__":1}'), "__proto__"],
])("a keyword that is not supported is named with its path: %s", (keyword, schema, path) => {
  expect(refusalOf(schema)).toMatchObject({
    code: "invalid_request",
    field: `${ROOT}.${path}`,
    message: expect.stringContaining(`"${keyword}"`),
  });
});

test.each([
  ["a type that does not exist", { type: "text" }, "type"],
  ["no type", { type: [] }, "type"],
  ["an empty enum", { enum: [] }, "enum"],
  ["an empty anyOf", { anyOf: [] }, "anyOf"],
  ["a negative length", { minLength: -1 }, "minLength"],
  ["a broken length", { maxLength: 1.5 }, "maxLength"],
  ["a huge length", { minLength: 1e9 }, "minLength"],
  ["a huge count", { type: "array", minItems: 10_001 }, "minItems"],
  ["a huge upper count", { maxItems: 1e7 }, "maxItems"],
  ["a bound that is a text", { minimum: "3" }, "minimum"],
  ["properties that are a list", { properties: [] }, "properties"],
  ["required that is a name", { required: "a" }, "required"],
  ["a schema that is a text", { items: "string" }, "items"],
  ["a reference to nowhere", { $ref: "#/$defs/none" }, "$ref"],
  ["a reference into a constant", { enum: [{}], $ref: "#/enum/0" }, "$ref"],
  ["a reference to elsewhere", { $ref: "https://example.com/schema" }, "$ref"],
  ["a malformed reference", { $ref: "#/%zz" }, "$ref"],
  ["an identifier within", { items: { $id: "x" } }, "items.$id"],
])("a mistake is told with its place: %s", (_, schema, path) => {
  expect(refusalOf(schema)).toMatchObject({ code: "invalid_request", field: `${ROOT}.${path}` });
});

test.each([
  ["minLength and maxLength", { minLength: 3, maxLength: 2 }],
  ["minItems and maxItems", { minItems: 3, maxItems: 2 }],
  ["minimum and maximum", { minimum: 3, maximum: 2 }],
])("what cannot be met at all is refused: %s", (names, schema) => {
  expect(refusalOf(schema)?.message).toContain(names);
});

test.each([
  ["itself", { $ref: "#" }],
  ["each other", { $ref: "#/$defs/a", $defs: { a: { $ref: "#/$defs/b" }, b: { allOf: [{ $ref: "#/$defs/a" }] } } }],
  ["a branch of itself", { anyOf: [{ type: "null" }, { $ref: "#" }] }],
])("a reference without content between is refused: to %s", (_, schema) => {
  expect(refusalOf(schema)?.message).toContain("leads back to itself");
});

test("what is not JSON of a schema's size is refused before it is read", () => {
  const nested = JSON.parse(`${'{"items":'.repeat(10_000)}true${"}".repeat(10_000)}`);

  expect(refusalOf(nested)?.message).toContain("deeper than 128 levels");
  expect(refusalOf({ description: "x".repeat(2_000_000) })?.message).toContain("longer than 65536 characters");
  expect(refusalOf({ enum: Array(100_000).fill(0) })?.message).toContain("more than 10000 values");
  expect(refusalOf({ properties: { ["x".repeat(2_000_000)]: true } })?.message).toContain("longer than 65536 characters");
  expect(refusalOf("string")?.message).toContain("must be an object, true or false");
  expect(refusalOf(null)?.message).toContain("must be an object, true or false");
});

test("a refusal stays short, however long the names are that lead to it", () => {
  expect(refusalOf({ properties: { ["x".repeat(60_000)]: { pattern: "y" } } })?.message.length).toBeLessThan(1_000);
});
