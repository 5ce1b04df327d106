import { expect, test } from "vitest";
import { formatOf, ResponseFormatField } from "./response-format.ts";

const schema = { type: "object", properties: { name: { type: "string" } }, required: ["name"] };
const ofSchema = (json_schema: object) => formatOf(ResponseFormatField.parse({ type: "json_schema", json_schema }));

test("text asks for nothing, an object for any, a schema for itself", () => {
  expect(formatOf(null)).toEqual({});
  expect(formatOf({ type: "text" })).toEqual({});
  expect(formatOf({ type: "json_object" })).toEqual({ format: { kind: "json_object" } });
  expect(ofSchema({ name: "answer", strict: false, schema })).toEqual({ format: { kind: "json_schema", schema } });
  expect(ofSchema({ name: "answer" })).toEqual({ format: { kind: "json_object" } });
});

test("a schema that answers cannot be held to is refused with the keyword's place", () => {
  const unique = { type: "object", properties: { a: { type: "array", uniqueItems: true } } };

  expect(() => ofSchema({ name: "answer", schema: unique })).toThrow(
    expect.objectContaining({ code: "invalid_request", field: "response_format.json_schema.schema.properties.a.uniqueItems" }),
  );
});
