import { once } from "node:events";
import type { Server } from "node:http";
import { createAdaptorServer } from "@hono/node-server";
import type { Hono } from "hono";
import { createApp } from "../../edge/app.ts";
import { compose } from "../../edge/compose.ts";
import { readConfig } from "../../edge/config.ts";
import type { Deps } from "../../edge/deps.ts";
import type { EdgeEnv } from "../../edge/env.ts";
import type { Dynamo } from "../../shared/dynamo/client.ts";
import { makeKey, peppersOf, type Scope } from "../../shared/keys/key.ts";
import type { RequestRate, TenantLimits } from "../../shared/limits/policy.ts";
import { OPERATORS, RATE_DEFAULT } from "../../shared/tenants/tenant.ts";
import { portOf, startDynamo } from "./dynamo.ts";

export type TestGateway = {
  readonly app: Hono<EdgeEnv>;
  readonly deps: Deps;
  /** Straight to the engine. */
  readonly dynamo: Dynamo;
  /** A key of the operators with every scope. */
  readonly operatorKey: string;
  /** Makes a key straight in the store, and its tenant if there is none. */
  readonly makeKey: (tenant: string, ...scopes: Scope[]) => Promise<string>;
  /** Asks as the operator unless `key` says otherwise; the body goes as JSON. */
  readonly ask: (method: string, path: string, options?: AskOptions) => Promise<TestAnswer>;
  /** Listens on a free port of this machine, for clients that need a URL. */
  readonly listen: () => Promise<string>;
  readonly close: () => Promise<void>;
};

export type AskOptions = { readonly key?: string; readonly body?: unknown; readonly headers?: Record<string, string> };
export type TestAnswer = { readonly status: number; readonly headers: Headers; readonly text: string; readonly json: unknown };

export const CHANGE = { by: "test", why: "", atMs: Date.UTC(2026, 10, 23) };

/** The gateway's own composition over a real DynamoDB engine in memory; requests go through `app.request()`. */
export async function startGateway(
  settings: { environment?: Record<string, string>; override?: (deps: Deps) => Partial<Deps> } = {},
): Promise<TestGateway> {
  const store = await startDynamo();
  const config = readConfig({
    AWS_REGION: "eu-central-1",
    WEIR_DYNAMO_ENDPOINT: store.endpoint,
    WEIR_PEPPERS: JSON.stringify({ 1: "a pepper for tests only" }),
    WEIR_POOLS: "[]",
    WEIR_INTAKE: JSON.stringify({ kind: "http", url: "http://127.0.0.1:9" }),
    ...settings.environment,
  });
  const composition = compose(config);
  const deps = { ...composition.deps, ...settings.override?.(composition.deps) };
  const app = createApp(deps);
  const keyFor = (tenant: string, ...scopes: Scope[]) => storeKey(deps, tenant, scopes);
  const servers: Server[] = [];
  const operatorKey = await keyFor(OPERATORS, "operate", "infer", "usage");
  return {
    app,
    deps,
    dynamo: store.dynamo,
    operatorKey,
    makeKey: keyFor,
    ask: (method, path, options = {}) => ask(app, `${method} ${path}`, { key: operatorKey, ...options }),
    listen: async () => {
      const server = createAdaptorServer({ fetch: app.fetch }) as Server; // plain HTTP/1.1 unless asked otherwise
      servers.push(server.listen(0, "127.0.0.1"));
      await once(server, "listening");
      return `http://127.0.0.1:${portOf(server.address())}`;
    },
    close: async () => {
      for (const server of servers) server.close().closeAllConnections();
      await composition.close();
      await store.close();
    },
  };
}

type NewTenant = { readonly id: string; readonly rate: RequestRate; readonly limits?: TenantLimits | undefined };

export async function storeTenant(deps: Deps, { id, rate, limits = {} }: NewTenant) {
  await deps.control.tenants.append(id, 0, { body: { id, name: id, isClosed: false, rate, limits }, change: CHANGE });
}

/** Makes a key straight in the store, and its tenant if there is none; answers the key's text. */
export async function storeKey(deps: Deps, tenant: string, scopes: Scope[]): Promise<string> {
  if ((await deps.control.tenants.current(tenant)) === undefined) await storeTenant(deps, { id: tenant, rate: RATE_DEFAULT });
  const { WEIR_ENV: env, WEIR_CELL: cell, WEIR_PEPPERS: peppers } = deps.config;
  const mint = { place: { env, cell }, ids: deps.ids, peppers: peppersOf(peppers) };
  const { key, text } = makeKey(mint, { tenant, name: "test", scopes });
  await deps.control.keys.append(key.id, 0, { body: key, change: CHANGE });
  return text;
}

async function ask(app: Hono<EdgeEnv>, line: string, { key, body, headers }: AskOptions): Promise<TestAnswer> {
  const [method = "GET", path = "/"] = line.split(" ");
  const answer = await app.request(path, {
    method,
    headers: { ...(key === undefined || key === "" ? {} : { authorization: `Bearer ${key}` }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, text, json: jsonOf(text) };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
