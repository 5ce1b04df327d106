import { Hono } from "hono";
import * as z from "zod";
import type { Deps } from "./deps.ts";
import type { EdgeEnv } from "./env.ts";
import type { PathGroup } from "./openapi.ts";

const Live = z.object({ live: z.literal(true) });
const Ready = z.object({ ready: z.boolean() });

/** `live`: the process answers. `ready`: it could serve and meter a request now. */
export function healthRoutes(deps: Pick<Deps, "isReady">) {
  return new Hono<EdgeEnv>()
    .get("/live", (c) => c.json({ live: true } satisfies z.infer<typeof Live>))
    .get("/ready", async (c) => {
      const isReady = await deps.isReady();
      return c.json({ ready: isReady } satisfies z.infer<typeof Ready>, isReady ? 200 : 503);
    });
}

export const healthPaths: PathGroup = {
  name: "health",
  summary: "For probes, which carry no key",
  failure: Ready,
  paths: [
    { method: "get", path: "/health/live", summary: "Whether the gateway runs", answer: { status: 200, summary: "It does", schema: Live } },
    {
      method: "get",
      path: "/health/ready",
      summary: "Whether the gateway could serve and meter a request now",
      answer: { status: 200, summary: "It could", schema: Ready },
      refusals: ["unavailable"],
    },
  ],
};
