import type { MiddlewareHandler } from "hono";
import type { Deps } from "../deps.ts";
import type { EdgeEnv } from "../env.ts";

/** Gives every request its id (a UUIDv7 of this moment: its ledger row's address) and says it in the answer. */
export function stampRequest(deps: Pick<Deps, "clock" | "ids">): MiddlewareHandler<EdgeEnv> {
  return async function stampRequest(c, next) {
    const acceptedAtMs = deps.clock.nowMs();
    const requestId = deps.ids.requestId(acceptedAtMs);
    c.set("acceptedAtMs", acceptedAtMs);
    c.set("requestId", requestId);
    c.header("Weir-Request-Id", requestId);
    await next();
  };
}
