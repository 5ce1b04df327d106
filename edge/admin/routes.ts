import { Hono } from "hono";
import type { Deps } from "../deps.ts";
import type { EdgeEnv } from "../env.ts";
import { requireScope } from "../middleware/authenticate.ts";
import { modelRoutes } from "./models.ts";

/** `/admin`: the operators' JSON API. */
export function adminRoutes(deps: Deps) {
  return new Hono<EdgeEnv>().use(requireScope("operate")).route("/models", modelRoutes(deps));
}
