import type { MiddlewareHandler } from "hono";
import type { EdgeEnv } from "../env.ts";
import { createHeldBytes } from "../held-bytes.ts";

/** Bounds the memory that requests may take; what a request holds is let go of once its answer has left, or its caller. */
export function holdBytes(): MiddlewareHandler<EdgeEnv> {
  const openHold = createHeldBytes();
  return async function holdBytes(c, next) {
    const hold = openHold(c.get("principal").tenant);
    const { outgoing } = c.env ?? {};
    c.set("hold", hold);
    outgoing?.once("close", hold.release);
    await next();
    if (outgoing === undefined || outgoing.destroyed) hold.release(); // else its `close` is still to come
  };
}
