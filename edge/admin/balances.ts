import { Hono } from "hono";
import { Failure, FailureAnswer } from "../../shared/base/failure.ts";
import { PageQuery, pageOf } from "../../shared/base/page.ts";
import { applyCredit } from "../../shared/billing/balances/apply-credit.ts";
import { PRIORITY_DEFAULT } from "../../shared/billing/balances/balance.ts";
import { shownCredit } from "../../shared/billing/balances/balance-report.ts";
import {
  BalanceReport,
  type Credit,
  CreditRevision,
  creditGroupOf,
  NewAdjustment,
  NewGrant,
} from "../../shared/billing/balances/credit.ts";
import { picoOf } from "../../shared/billing/money.ts";
import type { Deps } from "../deps.ts";
import type { EdgeContext, EdgeEnv } from "../env.ts";
import { checked, readJson } from "../http.ts";
import type { PathGroup } from "../openapi.ts";
import { balanceOf } from "../own/balance.ts";
import { changeOf } from "./change.ts";
import { tenantOf } from "./tenants.ts";

/** `/admin/balances`: what prepaid tenants were given, and what is left of it. */
export function balanceRoutes(deps: Deps) {
  return new Hono<EdgeEnv>()
    .get("/:tenant", async (c) => c.json(await balanceOf(deps, (await tenantOf(deps, c.req.param("tenant"))).body)))
    .post("/:tenant/grants", async (c) => c.json(await grant(deps, c), 201))
    .post("/:tenant/adjustments", async (c) => c.json(await adjust(deps, c), 201))
    .get("/:tenant/credits", async (c) => {
      const { body } = await tenantOf(deps, c.req.param("tenant"));
      const page = await deps.control.credits.list(creditGroupOf(body.id), checked(c.req.query(), PageQuery));
      return c.json({ ...page, items: page.items.map(shownCredit) });
    });
}

async function grant(deps: Deps, c: EdgeContext): Promise<CreditRevision> {
  const { id, amount, expiresAt, priority, why } = await readJson(c, NewGrant);
  if (expiresAt !== undefined && Date.parse(expiresAt) <= deps.clock.nowMs()) {
    throw new Failure("invalid_request", "expiresAt: must be in the future", { field: "expiresAt" });
  }
  const ends = expiresAt === undefined ? null : new Date(expiresAt).toISOString();
  return apply(deps, c, { id, kind: "grant", amountPico: `${picoOf(amount)}`, expiresAt: ends, priority, why });
}

async function adjust(deps: Deps, c: EdgeContext): Promise<CreditRevision> {
  const { id, amount, why } = await readJson(c, NewAdjustment);
  const sizePico = picoOf(amount.replace(/^-/, ""));
  const amountPico = `${amount.startsWith("-") ? -sizePico : sizePico}`;
  return apply(deps, c, { id, kind: "adjustment", amountPico, expiresAt: null, priority: PRIORITY_DEFAULT, why });
}

async function apply(deps: Deps, c: EdgeContext, { why, ...asked }: Omit<Credit, "tenant" | "state"> & { readonly why: string }) {
  const { body: tenant } = await tenantOf(deps, c.req.param("tenant") ?? "");
  if (tenant.isClosed) throw new Failure("conflict", `The tenant '${tenant.id}' is closed.`, { field: "tenant" });
  const entry = { credit: { tenant: tenant.id, ...asked }, stamp: changeOf(c, deps.clock, why) };
  return shownCredit(await applyCredit({ balances: deps.balances, credits: deps.control.credits }, entry));
}

export const balancePaths: PathGroup = {
  name: "balances",
  summary: "What prepaid tenants were given, and what is left of it",
  failure: FailureAnswer,
  paths: [
    {
      method: "get",
      path: "/admin/balances/{tenant}",
      summary: "Shows a tenant's balance with its grants and leases",
      scope: "billing",
      answer: { status: 200, summary: "The balance", schema: BalanceReport },
      refusals: ["not_found"],
    },
    {
      method: "post",
      path: "/admin/balances/{tenant}/grants",
      summary: "Gives credits; the same id and content again change nothing",
      scope: "billing",
      body: NewGrant,
      answer: { status: 201, summary: "The credit", schema: CreditRevision },
      refusals: ["not_found", "conflict"],
    },
    {
      method: "post",
      path: "/admin/balances/{tenant}/adjustments",
      summary: "Corrects a balance by hand, up or down; the same id and content again change nothing",
      scope: "billing",
      body: NewAdjustment,
      answer: { status: 201, summary: "The credit", schema: CreditRevision },
      refusals: ["not_found", "conflict"],
    },
    {
      method: "get",
      path: "/admin/balances/{tenant}/credits",
      summary: "Lists what was ever given to a balance or taken from it, by whom and why",
      scope: "billing",
      query: PageQuery,
      answer: { status: 200, summary: "One page, by id", schema: pageOf(CreditRevision) },
      refusals: ["not_found"],
    },
  ],
};
