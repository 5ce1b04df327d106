import type { MiddlewareHandler } from "hono";
import { serializeList } from "structured-headers";
import { Failure } from "../../shared/base/failure.ts";
import type { Verdict } from "../../shared/limits/limiter.ts";
import type { CreditPolicy } from "../../shared/limits/policy.ts";
import type { Deps } from "../deps.ts";
import type { EdgeEnv } from "../env.ts";
import { tell } from "../http.ts";

/** Holds a tenant to its requests per second, before the body is read. Headers as draft-ietf-httpapi-ratelimit-headers-10. */
export function limitRate(deps: Pick<Deps, "limiter">): MiddlewareHandler<EdgeEnv> {
  return async function limitRate(c, next) {
    for (const policy of c.get("principal").policies.requests) {
      if (policy.refill.kind !== "rate") continue;
      const verdict = await deps.limiter.take(policy.itemKey, policy.refill.gcra);
      tell(c, "RateLimit-Policy", policyHeader(policy));
      tell(c, "RateLimit", stateHeader(policy, verdict));
      if (!verdict.isAdmitted)
        throw new Failure("rate_limited", `Too many requests: ${policy.says}.`, { retryAfterMs: verdict.retryAfterMs });
    }
    await next();
  };
}

const policyHeaders = new WeakMap<CreditPolicy, string>();

function policyHeader(policy: CreditPolicy): string {
  const known = policyHeaders.get(policy) ?? serializePolicy(policy);
  policyHeaders.set(policy, known);
  return known;
}

function serializePolicy({ name, quota, windowSeconds }: CreditPolicy): string {
  return serializeList([
    [
      name,
      new Map([
        ["q", quota],
        ["w", windowSeconds],
      ]),
    ],
  ]);
}

/** `"requests";r=<credits left>;t=<seconds>`: two integers, so this text is its own serialisation. */
function stateHeader({ name }: CreditPolicy, verdict: Verdict): string {
  const seconds = Math.ceil((verdict.isAdmitted ? verdict.fullInMs : verdict.retryAfterMs) / 1000);
  return `"${name}";r=${verdict.remaining};t=${seconds}`;
}
