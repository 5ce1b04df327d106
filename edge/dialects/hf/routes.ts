import { Hono } from "hono";
import type { Deps } from "../../deps.ts";
import type { EdgeEnv } from "../../env.ts";

export function hfRoutes(_deps: Deps) {
  return new Hono<EdgeEnv>();
}
