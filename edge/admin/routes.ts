import { Hono } from "hono";
import type { Deps } from "../deps.ts";
import type { EdgeEnv } from "../env.ts";
import { requireScope } from "../middleware/authenticate.ts";

/** `/admin`: the operators' JSON API. */
export function adminRoutes(_deps: Deps) {
  return new Hono<EdgeEnv>().use(requireScope("operate"));
}
