import { Hono } from "hono";
import type { CreditPolicy, Policies } from "../../shared/limits/policy.ts";
import { LimitsReport } from "../../shared/limits/report.ts";
import { OpenaiFailure } from "../dialects/openai/failure.ts";
import type { EdgeEnv } from "../env.ts";
import { requireScope } from "../middleware/authenticate.ts";
import type { PathGroup } from "../openapi.ts";
import type { Limiters } from "../rate-limit-headers.ts";

/** `/v1/limits`: what the asking key is held to, read from the store. */
export function limitRoutes(limiters: Limiters) {
  return new Hono<EdgeEnv>()
    .use(requireScope("usage"))
    .get("/", async (c) => c.json(await reportOf(limiters, c.get("principal").policies)));
}

export const limitPaths: PathGroup = {
  name: "limits",
  summary: "What a tenant and its key are held to",
  failure: OpenaiFailure,
  paths: [
    {
      method: "get",
      path: "/v1/limits",
      summary: "Lists the policies of the asking key and its tenant, with what is left of each",
      scope: "usage",
      answer: { status: 200, summary: "The policies, in the order of the RateLimit headers", schema: LimitsReport },
    },
  ],
};

async function reportOf({ limiter, slots }: Limiters, policies: Policies): Promise<LimitsReport> {
  const credits = (unit: "requests" | "tokens") => async (policy: CreditPolicy) => {
    const { name, quota, windowSeconds } = policy;
    const { remaining, wholeInMs } = await limiter.look(policy);
    return { name, unit, quota, windowSeconds, remaining, wholeInSeconds: Math.ceil(wholeInMs / 1_000) };
  };
  const items = await Promise.all([
    ...policies.requests.map(credits("requests")),
    ...policies.tokens.map(credits("tokens")),
    ...policies.slots.map(async (policy) => {
      const { name, quota } = policy;
      return { name, unit: "concurrent-requests" as const, quota, remaining: await slots.look(policy) };
    }),
  ]);
  return { items };
}
