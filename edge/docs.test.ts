import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as z from "zod";
import { startGateway, type TestGateway } from "../test/harness/gateway.ts";

let gateway: TestGateway;
beforeAll(async () => {
  const folder = fileURLToPath(new URL("../node_modules/swagger-ui-dist", import.meta.url));
  gateway = await startGateway({ environment: { WEIR_DOCS_ASSETS: folder } });
});
afterAll(() => gateway.close());

const Operation = z.looseObject({
  operationId: z.string(),
  tags: z.array(z.string()).length(1),
  parameters: z.array(z.looseObject({ name: z.string(), in: z.enum(["path", "query", "header"]), schema: z.looseObject({}) })),
  responses: z.record(z.string().regex(/^[1-5][0-9]{2}$/), z.looseObject({ description: z.string().min(1) })),
});
const Document = z.object({
  openapi: z.string().regex(/^3\.1\.\d$/),
  info: z.looseObject({ title: z.string(), version: z.string().regex(/^\d+\.\d+\.\d+/) }),
  tags: z.array(z.object({ name: z.string(), description: z.string() })),
  paths: z.record(z.string().startsWith("/"), z.partialRecord(z.enum(["get", "post", "put", "patch", "delete"]), Operation)),
  components: z.object({ schemas: z.record(z.string(), z.looseObject({})), securitySchemes: z.looseObject({}) }),
});

async function readDocument() {
  const answer = await gateway.ask("GET", "/openapi.json", { key: "" });
  expect(answer.status).toBe(200);
  return { document: Document.parse(answer.json), text: answer.text };
}

function operationsOf(document: z.infer<typeof Document>) {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );
}

test("the document is OpenAPI 3.1 without a loose end: references, tags, ids and path parameters fit", async () => {
  const { document, text } = await readDocument();

  const references = [...text.matchAll(/"\$ref":"([^"]*)"/g)].map(([, reference]) => reference?.replace("#/components/schemas/", ""));
  expect(references.length).toBeGreaterThan(0);
  expect(references.filter((id) => document.components.schemas[id ?? ""] === undefined)).toEqual([]);
  const operations = operationsOf(document);
  const ids = operations.map(({ operation }) => operation?.operationId);
  expect(new Set(ids).size).toBe(ids.length);
  const tags = document.tags.map(({ name }) => name);
  expect(operations.flatMap(({ operation }) => operation?.tags ?? []).filter((tag) => !tags.includes(tag))).toEqual([]);
  for (const { path, operation } of operations) {
    const inPath = operation?.parameters.filter((each) => each.in === "path").map(({ name }) => name);
    expect(inPath).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
  }
});

test("every path of the API is in the document, and everything in the document is answered", async () => {
  const { document } = await readDocument();
  const described = operationsOf(document).map(({ method, path }) => `${method} ${path.replaceAll(/\{(\w+)\}/g, ":$1")}`);

  const routed = gateway.app.routes
    .filter(({ method }) => method !== "ALL")
    .map(({ method, path }) => `${method} ${path.replace(/\{.*\}$/, "")}`);

  const own = /^GET \/(docs|openapi\.json)/; // the document does not describe itself
  expect(routed.filter((line) => !own.test(line) && !described.includes(line))).toEqual([]);
  expect(described.filter((line) => !routed.includes(line))).toEqual([]);
});

test("the pages come from our own origin under a policy that lets nothing else in", async () => {
  const page = await gateway.ask("GET", "/docs", { key: "" });

  expect(page.status).toBe(200);
  expect(page.headers.get("content-security-policy")).toContain("default-src 'none'; script-src 'self'");
  expect(page.text).not.toMatch(/https?:/);
  expect(page.text).not.toMatch(/<script>/);
  for (const [, file] of page.text.matchAll(/(?:src|href)="(\/docs\/[^"]+)"/g)) {
    expect((await gateway.ask("GET", file ?? "", { key: "" })).status).toBe(200);
  }
});

test.each(["/docs/package.json", "/docs/..%2Fpackage.json", "/docs/__proto__", "/docs/index.html"])(
  "%s is not one of the pages' files",
  async (path) => {
    expect((await gateway.ask("GET", path, { key: "" })).status).toBe(404);
  },
);
