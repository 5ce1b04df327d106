import { Hono } from "hono";
import { request } from "undici";
import { Failure, FailureAnswer } from "../../shared/base/failure.ts";
import { MODEL_GROUP } from "../../shared/models/version.ts";
import { Status } from "../../shared/status/status.ts";
import { TENANT_GROUP } from "../../shared/tenants/tenant.ts";
import type { PoolSettings } from "../config.ts";
import type { Deps } from "../deps.ts";
import type { EdgeEnv } from "../env.ts";
import type { PathGroup } from "../openapi.ts";
import { VERSION } from "../version.ts";

type StatusDeps = Pick<Deps, "breakers" | "clock" | "config" | "isReady"> & {
  readonly control: Pick<Deps["control"], "tenants" | "models">;
};

const PING_TIMEOUT_MS = 2_000;
/** Enough to see what is wrong; the rest is in the log. */
const FAILING_MAX = 20;

/** `/admin/status`: is everything there that the gateway needs? */
export function statusRoutes(deps: StatusDeps) {
  const startedAtMs = deps.clock.nowMs();
  return new Hono<EdgeEnv>().get("/", async (c) => {
    const [store, pools, counts] = await Promise.all([
      storeState(deps),
      Promise.all(deps.config.WEIR_POOLS.map((pool) => poolState(deps, pool))),
      countAll(deps),
    ]);
    const uptimeMs = Math.max(0, deps.clock.nowMs() - startedAtMs);
    return c.json({ version: VERSION, startedAt: new Date(startedAtMs).toISOString(), uptimeMs, store, pools, counts } satisfies Status);
  });
}

async function storeState(deps: StatusDeps): Promise<Status["store"]> {
  const askedAtMs = deps.clock.nowMs();
  const isReachable = await deps.isReady();
  return { isReachable, latencyMs: Math.max(0, deps.clock.nowMs() - askedAtMs) };
}

async function poolState({ breakers }: StatusDeps, pool: PoolSettings): Promise<Status["pools"][number]> {
  const { name, tier } = pool;
  const seen = { breaker: breakers.poolOf(name), failing: breakers.failingOn(name).slice(0, FAILING_MAX) };
  // What is no server of its own is there when it is asked for.
  if (pool.kind !== "http") return { name, tier, state: "on-demand", ...seen };
  return { name, tier, state: (await answersPing(pool.url)) ? "reachable" : "unreachable", ...seen };
}

async function answersPing(url: string): Promise<boolean> {
  try {
    const answer = await request(new URL("/ping", url), { signal: AbortSignal.timeout(PING_TIMEOUT_MS) });
    await answer.body.dump();
    return answer.statusCode === 200;
  } catch {
    return false; // however it fails, it does not serve now
  }
}

/** Absent while the store is not there to count in: the rest of the status is worth showing then above all. */
async function countAll({ control }: StatusDeps): Promise<Status["counts"]> {
  try {
    const [tenants, models] = await Promise.all([control.tenants.count(TENANT_GROUP), control.models.count(MODEL_GROUP)]);
    return { tenants, models };
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  }
}

export const statusPaths: PathGroup = {
  name: "status",
  summary: "Is everything there that the gateway needs?",
  failure: FailureAnswer,
  paths: [
    {
      method: "get",
      path: "/admin/status",
      summary: "Shows the gateway, its store and its pools",
      scope: "operate",
      answer: { status: 200, summary: "The status", schema: Status },
    },
  ],
};
