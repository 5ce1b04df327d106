import type { MiddlewareHandler } from "hono";
import { Failure } from "../../shared/base/failure.ts";
import type { EdgeEnv } from "../env.ts";
import { REPORTS_AT_ONCE_MAX } from "../limits.ts";

/**
 * Bounds how many figures and exports one tenant has read at the same time: each reads thousands of items, so that by its requests per second alone a tenant could keep a
 * gateway and its store from everybody else's inferences.
 */
export function limitReports(): MiddlewareHandler<EdgeEnv> {
  const ofTenant = new Map<string, number>();
  return async function limitReports(c, next) {
    const { tenant } = c.get("principal");
    const count = ofTenant.get(tenant) ?? 0;
    if (count >= REPORTS_AT_ONCE_MAX) {
      const message = `Your tenant has ${REPORTS_AT_ONCE_MAX} reports or exports of usage read at once already. Try again shortly.`;
      throw new Failure("overloaded", message, { retryAfterMs: 1_000 });
    }
    ofTenant.set(tenant, count + 1);
    const end = once(() => {
      const left = (ofTenant.get(tenant) ?? 0) - 1;
      if (left > 0) ofTenant.set(tenant, left);
      else ofTenant.delete(tenant);
    });
    const { outgoing } = c.env ?? {};
    outgoing?.once("close", end);
    await next();
    if (outgoing === undefined || outgoing.destroyed) end(); // else its `close` is still to come
  };
}

function once(work: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) work();
    isDone = true;
  };
}
