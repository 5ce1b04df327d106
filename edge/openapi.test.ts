import { expect, test } from "vitest";
import * as z from "zod";
import { FailureAnswer } from "../shared/base/failure.ts";
import { PageQuery, pageOf } from "../shared/base/page.ts";
import { assembleOpenApi, type PathGroup } from "./openapi.ts";

const Boat = z.object({ name: z.string(), oars: z.int().min(0).default(2) }).meta({ id: "Boat" });
const boats: PathGroup = {
  name: "boats",
  summary: "What floats",
  failure: FailureAnswer,
  paths: [
    {
      method: "get",
      path: "/boats",
      summary: "Lists boats",
      query: PageQuery,
      answer: { status: 200, summary: "One page", schema: pageOf(Boat) },
    },
    {
      method: "put",
      path: "/boats/{name}",
      summary: "Keeps a boat",
      scope: "operate",
      body: Boat,
      answer: { status: 200, summary: "The boat", schema: Boat },
      refusals: ["conflict"],
    },
  ],
};

test("a schema with an id is one component, and everything else is where it is used", () => {
  const document = assembleOpenApi([boats], "1.2.3");

  expect(document.info.version).toBe("1.2.3");
  expect(Object.keys(document.components.schemas).toSorted()).toEqual(["Boat", "Failure", "QuotaExceeded"]);
  expect(document.paths["/boats"]?.["get"]).toMatchObject({
    operationId: "getBoats",
    parameters: [
      { name: "limit", in: "query", required: false, schema: { type: "integer", minimum: 1, maximum: 100, default: 50 } },
      { name: "cursor", in: "query", required: false, schema: { type: "string" } },
    ],
    responses: {
      200: { content: { "application/json": { schema: { properties: { items: { items: { $ref: "#/components/schemas/Boat" } } } } } } },
    },
  });
});

test("a path that needs a key says its scope and every refusal that a key or a body brings", () => {
  const operation = assembleOpenApi([boats], "1").paths["/boats/{name}"]?.["put"];

  expect(operation).toMatchObject({ security: [{ key: [] }], parameters: [{ name: "name", in: "path", required: true }] });
  const answers = z.object({ responses: z.record(z.string(), z.unknown()) }).parse(operation).responses;
  expect(Object.keys(answers)).toEqual(["200", "400", "401", "403", "409", "413", "415", "429", "503"]);
  expect(answers).toMatchObject({ 429: { content: { "application/problem+json": { schema: { allOf: expect.any(Array) } } } } });
});

test("a body may be left out or binary, and an answer a stream of events whose data is the schema's JSON", () => {
  const rides: PathGroup = {
    ...{ name: "rides", summary: "", failure: FailureAnswer },
    paths: [
      {
        ...{ method: "post", path: "/rides", summary: "Rides", body: Boat, isBodyOptional: true, binary: "A hull" },
        answer: { status: 200, summary: "Waves", schema: Boat, contentType: "text/event-stream" },
      },
    ],
  };

  const operation = assembleOpenApi([rides], "1").paths["/rides"]?.["post"];

  const binary = { schema: { description: "A hull" } };
  const data = { type: "string", contentMediaType: "application/json", contentSchema: { $ref: "#/components/schemas/Boat" } };
  expect(operation).toMatchObject({
    requestBody: { required: false, content: { "application/json": expect.anything(), "application/octet-stream": binary } },
    responses: {
      200: {
        content: { "text/event-stream": { schema: { required: ["data"], properties: { data } } }, "application/octet-stream": binary },
      },
    },
  });
});

test("an answer with two statuses is the same under both", () => {
  const build: PathGroup = {
    ...boats,
    paths: [
      {
        method: "post",
        path: "/boats",
        summary: "Builds a boat",
        answer: { status: 202, summary: "Being built", schema: Boat },
        otherwise: { status: 200, summary: "Built already" },
      },
    ],
  };

  const { paths } = assembleOpenApi([build], "1");

  const content = { "application/json": { schema: { $ref: "#/components/schemas/Boat" } } };
  expect(paths["/boats"]?.["post"]).toMatchObject({
    responses: { 200: { description: "Built already", content }, 202: { description: "Being built", content } },
  });
});

test("a path that is described twice, or two schemas with one id, are our own mistakes", () => {
  const OtherBoat = z.object({ wheels: z.int() }).meta({ id: "Boat" });
  const carts: PathGroup = {
    ...boats,
    name: "carts",
    paths: [{ method: "get", path: "/carts", summary: "Lists carts", answer: { status: 200, summary: "One", schema: OtherBoat } }],
  };

  expect(() => assembleOpenApi([boats, boats], "1")).toThrow("get /boats is described twice");
  expect(() => assembleOpenApi([boats, carts], "1")).toThrow("two schemas have the id Boat");
});
