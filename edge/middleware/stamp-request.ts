import type { MiddlewareHandler } from "hono";
import type { Deps } from "../deps.ts";
import type { EdgeEnv } from "../env.ts";

/** Gives every request its id (a UUIDv7 of this moment: its ledger row's address), and sees to it that every answer carries what was told. */
export function stampRequest(deps: Pick<Deps, "clock" | "ids">): MiddlewareHandler<EdgeEnv> {
  return async function stampRequest(c, next) {
    const acceptedAtMs = deps.clock.nowMs();
    const requestId = deps.ids.requestId(acceptedAtMs);
    const told: Record<string, string> = { "Weir-Request-Id": requestId };
    c.set("acceptedAtMs", acceptedAtMs);
    c.set("requestId", requestId);
    c.set("told", told);
    await next();
    if (c.get("isTold")) return;
    for (const [name, value] of Object.entries(told)) c.res.headers.set(name, value);
  };
}
