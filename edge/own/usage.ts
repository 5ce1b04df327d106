import { Hono } from "hono";
import { Failure } from "../../shared/base/failure.ts";
import type { Principal } from "../../shared/keys/principal.ts";
import type { TimeRange } from "../../shared/usage/period.ts";
import { USAGE_RANGE_MS_DEFAULT, USAGE_RANGE_MS_MAX, UsageQuery, UsageReport, type UsageSum } from "../../shared/usage/totals/report.ts";
import type { Figures } from "../../shared/usage/totals/usage-figures.ts";
import type { Deps } from "../deps.ts";
import { OpenaiFailure } from "../dialects/openai/failure.ts";
import type { EdgeEnv } from "../env.ts";
import { checked } from "../http.ts";
import { requireScope } from "../middleware/authenticate.ts";
import type { PathGroup } from "../openapi.ts";

type UsageDeps = Pick<Deps, "clock" | "usage"> & { readonly control: Pick<Deps["control"], "tenants"> };

/** `/v1/usage`: a tenant's own figures; operators may ask for any tenant's. */
export function usageRoutes(deps: UsageDeps) {
  return new Hono<EdgeEnv>().use(requireScope("usage")).get("/", async (c) => {
    const query = checked(c.req.query(), UsageQuery);
    const tenant = await tenantFor(deps, c.get("principal"), query.tenant);
    const range = rangeOf(query, deps.clock.nowMs());
    return c.json(report({ tenant, range, figures: await deps.usage.read(tenant, range) }, query));
  });
}

export const usagePaths: PathGroup = {
  name: "usage",
  summary: "A tenant's own figures",
  failure: OpenaiFailure,
  paths: [
    {
      method: "get",
      path: "/v1/usage",
      summary: "Adds up a tenant's metered requests by hour, model, version and arm",
      scope: "usage",
      query: UsageQuery,
      answer: { status: 200, summary: "The sums, and the range that they cover", schema: UsageReport },
      refusals: ["not_found"],
    },
  ],
};

/** Whose usage is meant: operators may ask for any tenant's. */
export async function tenantFor(deps: Pick<UsageDeps, "control">, principal: Principal, asked: string | undefined): Promise<string> {
  const isOperator = principal.scopes.has("view");
  if (asked === undefined || asked === principal.tenant) return principal.tenant;
  // Said before anything is looked up: the answer does not tell whether there is such a tenant.
  if (!isOperator) throw new Failure("forbidden", "Only operators may see another tenant's usage.", { field: "tenant" });
  if ((await deps.control.tenants.current(asked)) === undefined) {
    throw new Failure("not_found", `There is no tenant '${asked.slice(0, 100)}'.`, { field: "tenant" });
  }
  return asked;
}

function rangeOf({ from, to }: UsageQuery, nowMs: number): TimeRange {
  const toMs = to === undefined ? nowMs : Date.parse(to);
  const fromMs = from === undefined ? toMs - USAGE_RANGE_MS_DEFAULT : Date.parse(from);
  if (fromMs >= toMs) throw new Failure("invalid_request", "from: must be before `to`, which is now unless said", { field: "from" });
  if (toMs - fromMs > USAGE_RANGE_MS_MAX) {
    const days = USAGE_RANGE_MS_MAX / 86_400_000;
    throw new Failure("invalid_request", `from: must be at most ${days} days before \`to\`, which is now unless said`, { field: "from" });
  }
  return { fromMs, toMs };
}

function report({ tenant, range, figures }: { tenant: string; range: TimeRange; figures: Figures }, query: UsageQuery): UsageReport {
  const { sums, sealed, of, openHours } = figures;
  const start = query.cursor === undefined ? 0 : placeAfter(sums, query.cursor);
  const items = sums.slice(start, start + query.limit);
  const last = items.at(-1);
  return {
    tenant,
    from: new Date(range.fromMs).toISOString(),
    to: new Date(range.toMs).toISOString(),
    completeTo: new Date(figures.completeToMs).toISOString(),
    sealed,
    of,
    openHours: [...openHours],
    total: totalOf(sums),
    items,
    ...(last !== undefined && start + items.length < sums.length ? { nextCursor: cursorOf(last) } : {}),
  };
}

function placeAfter(sums: readonly UsageSum[], cursor: string): number {
  const place = sums.findIndex((sum) => cursorOf(sum) === cursor);
  if (place < 0) throw new Failure("invalid_request", "The cursor is not one that this list gave.", { field: "cursor" });
  return place + 1;
}

function cursorOf({ hour, model, version, arm }: UsageSum): string {
  return Buffer.from(JSON.stringify([hour, model, version, arm])).toString("base64url");
}

function totalOf(sums: readonly UsageSum[]): UsageReport["total"] {
  const total = { requests: 0, inputs: 0, inputTokens: 0, outputTokens: 0, computeMs: 0 };
  for (const sum of sums) {
    total.requests += sum.requests;
    total.inputs += sum.inputs;
    total.inputTokens += sum.inputTokens;
    total.outputTokens += sum.outputTokens;
    total.computeMs += sum.computeMs;
  }
  return total;
}
