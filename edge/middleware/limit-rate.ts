import type { MiddlewareHandler } from "hono";
import type { Taken } from "../../shared/limits/limiter.ts";
import type { EdgeEnv } from "../env.ts";
import { tell } from "../http.ts";
import { type Limiters, limitFailure, tellLimits } from "../rate-limit-headers.ts";

/** What is operators' and a tenant's own. A day's quota is of inferences: whoever has used it up can see so, and revoke the key that did. */
const OUTSIDE_A_DAY = /^\/(admin|metrics|v1\/(balance|invoices|keys|limits|price|usage|webhooks))(\/|$)/;

/** Holds a tenant and its key to their requests per second and per day, before the body is read. Tokens and slots are for inferences only: see serve/limit-work.ts. */
export function limitRate(limiters: Limiters): MiddlewareHandler<EdgeEnv> {
  return async function limitRate(c, next) {
    const { policies } = c.get("principal");
    const held = isOfADay(c.req.path) ? policies.requests : policies.rates;
    const taken = limiters.limiter.take(held, 1);
    const verdict = taken instanceof Promise ? await taken : taken; // credits are at hand as a rule, and a promise costs more than taking them
    const refused = verdict.isAdmitted ? undefined : verdict;
    tellLimits((name, value) => tell(c, name, value), limiters, { policies, refused });
    if (!verdict.isAdmitted) throw limitFailure(verdict);
    await next();
    // A day is too long to pay for what another limit, or our own failure, has refused. A second is not: asking again costs us something.
    if (held.length > policies.rates.length && isNotServed(c.res.status)) limiters.limiter.correct(ofADay(verdict), 0);
  };
}

export function isOfADay(path: string): boolean {
  return !OUTSIDE_A_DAY.test(path);
}

function isNotServed(status: number): boolean {
  return status === 429 || status >= 500;
}

function ofADay({ parts }: Taken): Taken {
  return { isAdmitted: true, parts: parts.filter(({ bucket }) => bucket.policy.refill.kind === "day") };
}
