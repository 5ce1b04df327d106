import type { MiddlewareHandler } from "hono";
import type { Scope } from "../../shared/keys/key.ts";
import type { EdgeEnv } from "../env.ts";
import { requireScope } from "./authenticate.ts";

/** Which scope opens which part of `/admin`, by the word after it; every other part needs `operate`, which implies these. */
const SCOPE_OF_PART: Readonly<Record<string, Scope>> = {
  models: "models",
  splits: "rollouts",
  rollouts: "rollouts",
  prices: "billing",
  balances: "billing",
  invoices: "billing",
  seller: "billing",
};

/** The one place that decides who may do what under `/admin`: a part's scope opens it, and `view` reads all of them. */
export function authorizeAdmin(): MiddlewareHandler<EdgeEnv> {
  return function authorizeAdmin(c, next) {
    const scope = scopeOfPart(c.req.path);
    return isRead(c.req.method) ? requireScope(scope, "view")(c, next) : requireScope(scope)(c, next);
  };
}

export function scopeOfPart(path: string): Scope {
  const [, , part = "", , detail] = path.split("/");
  if (part === "tenants" && detail === "billing") return "billing";
  return (Object.hasOwn(SCOPE_OF_PART, part) ? SCOPE_OF_PART[part] : undefined) ?? "operate";
}

function isRead(method: string): boolean {
  return method === "GET" || method === "HEAD";
}
