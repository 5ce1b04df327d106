import { Hono } from "hono";
import type { Deps } from "./deps.ts";
import type { EdgeEnv } from "./env.ts";

/** `/v1/usage`: a tenant's own figures. */
export function usageRoutes(_deps: Deps) {
  return new Hono<EdgeEnv>();
}
