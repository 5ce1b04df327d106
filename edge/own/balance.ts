import { Hono } from "hono";
import { Failure } from "../../shared/base/failure.ts";
import { reportBalance } from "../../shared/billing/balances/balance-report.ts";
import { BalanceReport } from "../../shared/billing/balances/credit.ts";
import type { Tenant } from "../../shared/tenants/tenant.ts";
import type { Deps } from "../deps.ts";
import { OpenaiFailure } from "../dialects/openai/failure.ts";
import type { EdgeEnv } from "../env.ts";
import { requireScope } from "../middleware/authenticate.ts";
import type { PathGroup } from "../openapi.ts";

/** `/v1/balance`: what a prepaid tenant has left. */
export function ownBalanceRoutes(deps: Deps) {
  return new Hono<EdgeEnv>().get("/", requireScope("usage"), async (c) => {
    const tenant = await deps.control.tenants.current(c.get("principal").tenant);
    if (tenant === undefined) throw new Failure("not_found", "There is no such tenant any more.");
    return c.json(await balanceOf(deps, tenant.body));
  });
}

type BalanceDeps = Pick<Deps, "balances" | "clock"> & { readonly control: Pick<Deps["control"], "prices"> };

export async function balanceOf({ balances, clock, control }: BalanceDeps, { id, billing }: Tenant): Promise<BalanceReport> {
  const [{ balance }, book] = await Promise.all([balances.read(id), billing && control.prices.current(billing.priceBook)]);
  const about = { tenant: id, currency: book?.body.currency ?? null, isPrepaid: billing?.isPrepaid ?? false };
  return reportBalance(balance, { ...about, nowMs: clock.nowMs() });
}

export const ownBalancePaths: PathGroup = {
  name: "balance",
  summary: "A prepaid tenant's own balance",
  failure: OpenaiFailure,
  paths: [
    {
      method: "get",
      path: "/v1/balance",
      summary: "Shows what is left of the tenant's credits",
      scope: "usage",
      answer: { status: 200, summary: "The balance", schema: BalanceReport },
      refusals: ["not_found"],
    },
  ],
};
