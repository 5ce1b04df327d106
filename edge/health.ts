import { Hono } from "hono";
import type { Deps } from "./deps.ts";
import type { EdgeEnv } from "./env.ts";

/** `live`: the process answers. `ready`: it could serve and meter a request now. */
export function healthRoutes(deps: Pick<Deps, "isReady">) {
  return new Hono<EdgeEnv>()
    .get("/live", (c) => c.json({ live: true }))
    .get("/ready", async (c) => {
      const isReady = await deps.isReady();
      return c.json({ ready: isReady }, isReady ? 200 : 503);
    });
}
