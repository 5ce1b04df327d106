import { hash } from "node:crypto";
import type { EdgeContext } from "../env.ts";
import { callerSignal, tell } from "../http.ts";
import { patienceMs } from "./deadline.ts";
import { MAX_COST_HEADER } from "./max-cost.ts";
import type { Call, Served } from "./serve.ts";

const UNIT_CHARS_MAX = 256;

/** Collects what `serve` needs to know of a request; `user` is what the dialect's own body says sticks together. */
export function callOf(c: EdgeContext, asked: Pick<Call, "dialect" | "reference"> & { body: Uint8Array; user?: string | undefined }): Call {
  const principal = c.get("principal");
  return {
    requestId: c.get("requestId"),
    acceptedAtMs: c.get("acceptedAtMs"),
    principal,
    dialect: asked.dialect,
    reference: asked.reference,
    // A tenant's users are its own: the same name under two tenants is two units.
    unit: `${principal.tenant}\n${(c.req.header("weir-unit") ?? asked.user ?? principal.keyId).slice(0, UNIT_CHARS_MAX)}`,
    fingerprint: hash("sha256", `${principal.tenant}\n${c.req.path}\n${hash("sha256", asked.body)}`, "base64url"),
    bodyBytes: asked.body.byteLength,
    tell: (name, value) => tell(c, name, value),
    signal: callerSignal(c),
    timeoutMs: patienceMs((name) => c.req.header(name)),
    maxCost: c.req.header(MAX_COST_HEADER),
  };
}

/** Says in the answer's headers who served. */
export function sayServed(c: EdgeContext, served: Served) {
  tell(c, "Weir-Model", `${served.model}@${served.version}`);
  tell(c, "Weir-Arm", served.arm);
  tell(c, "Weir-Tier", served.tier);
  if (served.degraded !== undefined) tell(c, "Weir-Degraded", served.degraded);
}
