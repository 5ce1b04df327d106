import type { MiddlewareHandler } from "hono";
import type { EdgeEnv } from "../env.ts";
import { tell } from "../http.ts";
import { type Limiters, limitFailure, tellLimits } from "../rate-limit-headers.ts";

/** Holds a tenant and its key to their requests per second and per day, before the body is read. Tokens and slots are for inferences only: see serve/limit-work.ts. */
export function limitRate(limiters: Limiters): MiddlewareHandler<EdgeEnv> {
  return async function limitRate(c, next) {
    const { policies } = c.get("principal");
    const taken = limiters.limiter.take(policies.requests, 1);
    const verdict = taken instanceof Promise ? await taken : taken; // credits are at hand as a rule, and a promise costs more than taking them
    const refused = verdict.isAdmitted ? undefined : verdict;
    tellLimits((name, value) => tell(c, name, value), limiters, { policies, refused });
    if (refused !== undefined) throw limitFailure(refused);
    await next();
  };
}
