import { cors } from "hono/cors";

/** Browsers may call with a key that they hold; a preflight carries none and is answered here, before anybody asks for it. */
export function crossOrigin() {
  return cors({
    origin: "*",
    allowHeaders: ["Authorization", "Content-Type", "X-Api-Key", "Idempotency-Key", "Weir-Unit", "Weir-Reason"],
    allowMethods: ["GET", "POST", "PUT", "PATCH", "DELETE"],
    exposeHeaders: [
      "Weir-Request-Id",
      "Weir-Model",
      "Weir-Arm",
      "Weir-Tier",
      "Weir-Degraded",
      "RateLimit",
      "RateLimit-Policy",
      "Retry-After",
    ],
    maxAge: 86_400,
  });
}
