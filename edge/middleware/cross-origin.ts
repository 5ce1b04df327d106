import type { MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import type { EdgeEnv } from "../env.ts";
import { tell } from "../http.ts";

const EXPOSED =
  "Weir-Request-Id,Weir-Model,Weir-Arm,Weir-Tier,Weir-Degraded,Weir-Receipt,Idempotent-Replayed,RateLimit,RateLimit-Policy,Retry-After,Inference-Header-Content-Length";

/** Browsers may call with a key that they hold; a preflight carries none and is answered here, before anybody asks for it. */
export function crossOrigin(): MiddlewareHandler<EdgeEnv> {
  const preflight = cors({
    origin: "*",
    // No list of headers: what the preflight asks for is allowed, since OpenAI's client alone sends a dozen of its own, and no cookie counts here.
    allowMethods: ["GET", "POST", "PUT", "PATCH", "DELETE"],
    maxAge: 86_400,
  });
  return async function crossOrigin(c, next) {
    tell(c, "Access-Control-Allow-Origin", "*");
    tell(c, "Access-Control-Expose-Headers", EXPOSED);
    // hono's middleware touches every answer's `Headers`; other answers need no more than these two.
    if (c.req.method === "OPTIONS") return preflight(c, next);
    return next();
  };
}
