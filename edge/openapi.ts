import * as z from "zod";
import { Failure, type FailureCode } from "../shared/base/failure.ts";
import type { Scope } from "../shared/keys/key.ts";
import { RIGHTS_OF_ROLE, Role } from "../shared/people/rights.ts";
import { PROBLEM_TYPE, QuotaExceeded } from "./problem.ts";

/** What a routes file says of its paths, next to their handlers; `/openapi.json` is assembled from these. */
export type PathGroup = {
  /** The heading of these paths in /docs, such as `tenants`. */
  readonly name: string;
  readonly summary: string;
  /** How failures look here: each dialect has its own form. */
  readonly failure: z.ZodType;
  readonly paths: readonly PathDescription[];
};

type HeaderDescription = { readonly name: string; readonly summary: string };

export type PathDescription = {
  readonly method: "get" | "post" | "put" | "patch" | "delete";
  /** With parameters in braces: `/admin/tenants/{id}`. */
  readonly path: string;
  readonly summary: string;
  /** The scope that a key needs; absent, no key is needed. */
  readonly scope?: Scope;
  readonly query?: z.ZodObject;
  readonly headers?: readonly HeaderDescription[];
  /** Of the answer. */
  readonly headersOut?: readonly HeaderDescription[];
  readonly body?: z.ZodType;
  readonly isBodyOptional?: boolean;
  /** A second form of body and answer besides JSON, as `application/octet-stream`: what it holds. */
  readonly binary?: string;
  /** Its content is JSON unless it says another type. */
  readonly answer: { readonly status: number; readonly summary: string; readonly schema?: z.ZodType; readonly contentType?: string };
  /** Another status that the same answer may have. */
  readonly otherwise?: { readonly status: number; readonly summary: string };
  /** What the answer is besides JSON, if the caller asks for it: server-sent events. */
  readonly events?: string;
  /** What the answer is as CSV, if the caller asks for that. */
  readonly csv?: string;
  /** Refusals of this path alone; those that follow from having a key or a body are added to it. */
  readonly refusals?: readonly FailureCode[];
};

export type OpenApi = {
  readonly openapi: "3.1.1";
  readonly info: { readonly title: string; readonly version: string; readonly summary: string };
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Json>>>>;
  readonly components: { readonly schemas: Record<string, Json>; readonly securitySchemes: Json };
};

type Json = Readonly<Record<string, unknown>>;
type Components = Record<string, Json>;

const BEARER = {
  type: "http",
  scheme: "bearer",
  description: "A key of the form `weir_<env>_<cell>_<id>_<secret>`. `x-api-key` is accepted too.",
};
const KEY_REFUSALS = ["unauthenticated", "forbidden", "rate_limited", "unavailable"] as const;
const BODY_REFUSALS = ["invalid_request", "too_large", "unsupported_media"] as const;

/** Assembles the OpenAPI 3.1 document; a schema with an id (`.meta({ id })`) becomes a component. */
export function assembleOpenApi(groups: readonly PathGroup[], version: string): OpenApi {
  const schemas: Components = {};
  const paths: Record<string, Record<string, Json>> = {};
  for (const group of groups) {
    for (const path of group.paths) {
      const methods = paths[path.path] ?? {};
      if (methods[path.method] !== undefined) throw new Error(`${path.method} ${path.path} is described twice`);
      paths[path.path] = { ...methods, [path.method]: operationOf(path, group, schemas) };
    }
  }
  return {
    openapi: "3.1.1",
    info: { title: "Weir", version, summary: "Serverless edge inference gateway" },
    tags: groups.map(({ name, summary }) => ({ name, description: summary })),
    paths,
    components: { schemas, securitySchemes: { key: BEARER } },
  };
}

function operationOf(path: PathDescription, group: PathGroup, components: Components): Json {
  const { schema, contentType } = path.answer;
  const binary = path.binary === undefined ? {} : { "application/octet-stream": { schema: { description: path.binary } } };
  const bodyContent = path.body === undefined ? undefined : { ...jsonContent(path.body, components), ...binary };
  const events = path.events === undefined ? {} : { [EVENT_STREAM]: { schema: eventSchema({ description: path.events }) } };
  const csv = path.csv === undefined ? {} : { "text/csv": { schema: { type: "string", description: path.csv } } };
  const forms = { ...binary, ...events, ...csv };
  const answerContent = schema === undefined ? {} : { content: { ...content(schema, components, contentType), ...forms } };
  const answers = [path.answer, ...(path.otherwise === undefined ? [] : [path.otherwise])];
  return {
    tags: [group.name],
    summary: path.summary,
    operationId: operationIdOf(path),
    ...(path.scope === undefined ? {} : { description: whoMay(path, path.scope), security: [{ key: [] }] }),
    parameters: parametersOf(path, components),
    ...(bodyContent === undefined ? {} : { requestBody: { required: path.isBodyOptional !== true, content: bodyContent } }),
    responses: {
      ...Object.fromEntries(answers.map(({ status, summary }) => [status, { description: summary, ...headersOf(path), ...answerContent }])),
      ...refusalsOf(path, group.failure, components),
    },
  };
}

/** Under `/admin` a part's scope, `operate` and persons' roles open a path; the middleware `authorizeAdmin` decides by the same table. */
function whoMay({ method, path }: PathDescription, scope: Scope): string {
  if (!/^\/(admin|metrics)/.test(path)) return `Needs a key with the scope \`${scope}\`.`;
  const scopes = scope === "operate" ? "`operate`" : `\`${scope}\` or \`operate\``;
  const roles = Role.options.filter((role) => {
    const rights = RIGHTS_OF_ROLE[role];
    return rights.includes(scope) || (method === "get" && rights.includes("view"));
  });
  return `Needs an operators' key with the scope ${scopes}, or a person's of the role ${roles.map((role) => `\`${role}\``).join(", ")}.`;
}

/** `get /admin/tenants/{id}` is `getAdminTenantsId`: unique because method and path are. */
function operationIdOf({ method, path }: PathDescription): string {
  const words = path.split(/[^A-Za-z0-9]+/).filter((word) => word !== "");
  return method + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
}

function parametersOf(path: PathDescription, components: Components): Json[] {
  const names = [...path.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
  return [
    ...names.map((name) => ({ name, in: "path", required: true, schema: { type: "string" } })),
    ...(path.query === undefined ? [] : queryParametersOf(path.query, components)),
    ...(path.headers ?? []).map(({ name, summary }) => ({ name, in: "header", description: summary, schema: { type: "string" } })),
  ];
}

function headersOf({ headersOut }: PathDescription): Json {
  if (headersOut === undefined) return {};
  const headers = headersOut.map(({ name, summary }) => [name, { description: summary, schema: { type: "string" } }]);
  return { headers: Object.fromEntries(headers) };
}

function queryParametersOf(query: z.ZodObject, components: Components): Json[] {
  return Object.entries(query.shape).map(([name, field]) => ({
    name,
    in: "query",
    required: !z.safeParse(field, undefined).success,
    schema: schemaOf(field, components),
  }));
}

function refusalsOf(path: PathDescription, failure: z.ZodType, components: Components): Json {
  const codes = new Set<FailureCode>([
    ...(path.query === undefined ? [] : (["invalid_request"] as const)),
    ...(path.body === undefined ? [] : BODY_REFUSALS),
    ...(path.scope === undefined ? [] : KEY_REFUSALS),
    ...(path.refusals ?? []),
  ]);
  const byStatus = Map.groupBy(codes, (code) => new Failure(code, "").status);
  const json = jsonContent(failure, components);
  const isLimit = (code: FailureCode) => path.scope !== undefined && (code === "rate_limited" || code === "too_large");
  const contentOf = (each: readonly FailureCode[]) => (each.some(isLimit) ? { ...json, ...problemContent(failure, components) } : json);
  const headersOf = (status: number) => (status === 429 && path.scope !== undefined ? { headers: LIMIT_HEADERS } : {});
  return Object.fromEntries(
    [...byStatus].map(([status, each]) => [status, { description: each.join(", "), ...headersOf(status), content: contentOf(each) }]),
  );
}

/** A refusal by limits says the problem, and the same in the path's own form. */
function problemContent(failure: z.ZodType, components: Components): Json {
  return { [PROBLEM_TYPE]: { schema: { allOf: [schemaOf(QuotaExceeded, components), schemaOf(failure, components)] } } };
}

/** Every answer to a key carries the last two. */
const LIMIT_HEADERS: Json = {
  "Retry-After": { description: "Seconds; before that the same request is refused again", schema: { type: "integer" } },
  RateLimit: {
    description: 'What is left of each policy: `"requests";r=0;t=1, "tokens";r=900;t=40` (draft-ietf-httpapi-ratelimit-headers-11)',
    schema: { type: "string" },
  },
  "RateLimit-Policy": {
    description:
      'The policies: `"requests";q=200;w=2, "tokens";q=60000;w=60;weir-unit="tokens", "concurrency";q=4;qu="concurrent-requests"`',
    schema: { type: "string" },
  },
};

function jsonContent(schema: z.ZodType, components: Components): Json {
  return content(schema, components, "application/json");
}

function content(schema: z.ZodType, components: Components, contentType = "application/json"): Json {
  const json = schemaOf(schema, components);
  return { [contentType]: { schema: contentType === EVENT_STREAM ? eventSchema({ contentSchema: json }) : json } };
}

const EVENT_STREAM = "text/event-stream";

/** One event of a stream, as OpenAPI 3.2 and those who check streams describe it: its data is a text that holds JSON. */
function eventSchema(data: Json): Json {
  return { type: "object", required: ["data"], properties: { data: { type: "string", contentMediaType: "application/json", ...data } } };
}

function schemaOf(schema: z.core.$ZodType, components: Components): Json {
  // `input`: what a caller may send, and what a reader of an answer must expect; fields that are not named here may come with a newer gateway.
  const { $schema: _, $defs = {}, ...json } = z.toJSONSchema(schema, { io: "input" });
  for (const [id, definition] of Object.entries($defs)) addComponent(components, id, inComponents(definition));
  return inComponents(json);
}

function addComponent(components: Components, id: string, schema: Json) {
  const there = components[id];
  if (there !== undefined && JSON.stringify(there) !== JSON.stringify(schema)) throw new Error(`two schemas have the id ${id}`);
  components[id] = schema;
}

/** zod puts definitions below `$defs`; OpenAPI has one place for all. */
function inComponents(json: object): Json {
  return JSON.parse(JSON.stringify(json).replaceAll('"$ref":"#/$defs/', '"$ref":"#/components/schemas/'));
}
