import type { MiddlewareHandler } from "hono";
import { serializeList } from "structured-headers";
import { Failure } from "../../shared/base/failure.ts";
import type { Verdict } from "../../shared/limits/limiter.ts";
import type { RequestRate } from "../../shared/tenants/tenant.ts";
import type { Deps } from "../deps.ts";
import type { EdgeEnv } from "../env.ts";
import { tell } from "../http.ts";

const POLICY = "requests";

/** Holds a tenant to its requests per second, before the body is read. Headers as draft-ietf-httpapi-ratelimit-headers-10. */
export function limitRate(deps: Pick<Deps, "limiter">): MiddlewareHandler<EdgeEnv> {
  return async function limitRate(c, next) {
    const { tenant, rate } = c.get("principal");
    const verdict = await deps.limiter.take(`${tenant}#${POLICY}`, rate);
    tell(c, "RateLimit-Policy", policyHeader(rate));
    tell(c, "RateLimit", stateHeader(verdict));
    if (!verdict.isAdmitted) {
      const message = `Too many requests: the limit is ${rate.requestsPerSecond} per second with bursts of ${rate.burst}.`;
      throw new Failure("rate_limited", message, { retryAfterMs: verdict.retryAfterMs });
    }
    await next();
  };
}

const policyHeaders = new WeakMap<RequestRate, string>();

function policyHeader(rate: RequestRate): string {
  const known = policyHeaders.get(rate) ?? serializePolicy(rate);
  policyHeaders.set(rate, known);
  return known;
}

function serializePolicy(rate: RequestRate): string {
  // A full burst comes back in this window.
  const windowSeconds = Math.max(1, Math.ceil(rate.burst / rate.requestsPerSecond));
  return serializeList([
    [
      POLICY,
      new Map([
        ["q", rate.burst],
        ["w", windowSeconds],
      ]),
    ],
  ]);
}

/** `"requests";r=<credits left>;t=<seconds>`: two integers, so this text is its own serialisation. */
function stateHeader(verdict: Verdict): string {
  const seconds = Math.ceil((verdict.isAdmitted ? verdict.fullInMs : verdict.retryAfterMs) / 1000);
  return `"${POLICY}";r=${verdict.remaining};t=${seconds}`;
}
