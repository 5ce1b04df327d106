import { Hono } from "hono";
import { Failure, FailureAnswer } from "../../shared/base/failure.ts";
import { PageQuery, pageOf } from "../../shared/base/page.ts";
import { SELLER } from "../../shared/billing/invoices/seller.ts";
import type { Revision } from "../../shared/dynamo/revision-log.ts";
import { DeletionRevision, newDeletion, RETENTION_YEARS_DEFAULT } from "../../shared/tenants/deletion.ts";
import {
  NewBilling,
  NewTenant,
  OPERATORS,
  RATE_DEFAULT,
  TENANT_GROUP,
  Tenant,
  TenantChange,
  TenantRevision,
} from "../../shared/tenants/tenant.ts";
import type { Deps } from "../deps.ts";
import type { EdgeContext, EdgeEnv } from "../env.ts";
import { checked, readJson } from "../http.ts";
import type { PathGroup } from "../openapi.ts";
import { assertBillable, type BillableDeps } from "./billable.ts";
import { changeOf, stamped } from "./change.ts";
import { answerRevision, appendNext, ETAG, IF_MATCH } from "./if-match.ts";

/** Requests per second: whoever operates Weir by hand or by a script. */
const OPERATORS_RATE_MIN = 1;

type TenantDeps = Pick<Deps, "clock"> & { readonly control: Pick<Deps["control"], "tenants" | "deletions" | "sellers"> };
type BillingDeps = TenantDeps & BillableDeps;

/** `/admin/tenants`: who calls and who pays. */
export function tenantRoutes(deps: BillingDeps) {
  const { tenants } = deps.control;
  return new Hono<EdgeEnv>()
    .post("/", async (c) => answerRevision(c, await createTenant(deps, c), 201))
    .get("/", async (c) => {
      const page = await tenants.list(TENANT_GROUP, checked(c.req.query(), PageQuery));
      return c.json({ ...page, items: page.items.map(shown) });
    })
    .get("/:id", async (c) => answerRevision(c, shown(await tenantOf(deps, c.req.param("id")))))
    .patch("/:id", async (c) => answerRevision(c, await changeTenant(deps, c, await readJson(c, TenantChange))))
    .put("/:id/billing", async (c) => {
      const { why, ...billing } = await readJson(c, NewBilling);
      return answerRevision(c, await changeTenant(deps, c, { billing, why }));
    })
    .post("/:id/close", async (c) => c.json(await closeTenant(deps, c)))
    .delete("/:id", async (c) => c.json(await deleteTenant(deps, c), 202))
    .get("/:id/deletion", async (c) => c.json(await deletionOf(deps, c.req.param("id"))))
    .get("/:id/history", async (c) => {
      const { body } = await tenantOf(deps, c.req.param("id"));
      const page = await tenants.history(body.id, checked(c.req.query(), PageQuery));
      return c.json({ ...page, items: page.items.map(shown) });
    });
}

/** The tenant of that id; fails with `not_found`. */
export async function tenantOf(deps: { readonly control: Pick<Deps["control"], "tenants"> }, id: string): Promise<Revision<Tenant>> {
  const tenant = Tenant.shape.id.safeParse(id).success ? await deps.control.tenants.current(id) : undefined;
  if (tenant === undefined) throw new Failure("not_found", `There is no tenant '${id.slice(0, 100)}'.`, { field: "tenant" });
  return tenant;
}

async function createTenant(deps: BillingDeps, c: EdgeContext) {
  const { id, name = id, rate = RATE_DEFAULT, why, ...more } = await readJson(c, NewTenant);
  if ((await deps.control.tenants.current(id)) !== undefined) {
    throw new Failure("conflict", `There is a tenant '${id}' already.`, { field: "id" });
  }
  if (more.billing !== undefined) await assertBillable(deps, more.billing);
  const body = { id, name, isClosed: false, rate, ...stated(more) };
  return shown(await deps.control.tenants.append(id, 0, { body, change: changeOf(c, deps.clock, why) }));
}

async function changeTenant(deps: BillingDeps, c: EdgeContext, { why, ...changes }: TenantChange) {
  const current = await tenantOf(deps, c.req.param("id") ?? "");
  if (current.body.isClosed) throw new Failure("conflict", `The tenant '${current.body.id}' is closed.`, { field: "tenant" });
  if (changes.billing !== undefined) await assertBillable(deps, changes.billing, current.body.billing);
  const body = { ...current.body, ...stated(changes) };
  assertReachable(body);
  return shown(await appendNext(c, deps.control.tenants, { id: body.id, current, body, change: changeOf(c, deps.clock, why) }));
}

/** A day's quota that is spent, or a rate of one in a quarter of an hour, would leave nobody to undo it, nor to revoke a key that has leaked. */
function assertReachable({ id, rate, limits }: Tenant) {
  const refuse = (field: string, why: string): never => {
    throw new Failure("conflict", `${field}: the tenant '${OPERATORS}' operates Weir and ${why}.`, { field });
  };
  if (id !== OPERATORS) return;
  if (limits?.requestsPerDay !== undefined) refuse("limits.requestsPerDay", "would be locked out until midnight");
  if (rate.requestsPerSecond < OPERATORS_RATE_MIN) refuse("rate.requestsPerSecond", `needs ${OPERATORS_RATE_MIN} a second at least`);
}

/** Closing twice changes nothing. */
async function closeTenant(deps: TenantDeps, c: EdgeContext) {
  const current = await tenantOf(deps, c.req.param("id") ?? "");
  const { id, isClosed } = current.body;
  if (id === OPERATORS) throw new Failure("conflict", `The tenant '${OPERATORS}' operates Weir and cannot be closed.`, { field: "tenant" });
  if (isClosed) return shown(current);
  const body = { ...current.body, isClosed: true };
  return shown(await deps.control.tenants.append(id, current.revision, { body, change: changeOf(c, deps.clock, undefined) }));
}

/** Written down first and closed then: if we die between, the caretaker closes it. Deleting twice changes nothing. */
async function deleteTenant(deps: TenantDeps, c: EdgeContext): Promise<DeletionRevision> {
  const { body: tenant } = await tenantOf(deps, c.req.param("id") ?? "");
  if (tenant.id === OPERATORS) {
    throw new Failure("conflict", `The tenant '${OPERATORS}' operates Weir and cannot be deleted.`, { field: "tenant" });
  }
  const { deletions, sellers } = deps.control;
  if ((await deletions.current(tenant.id)) === undefined) {
    const change = changeOf(c, deps.clock, undefined);
    const years = (await sellers.current(SELLER))?.body.retentionYears ?? RETENTION_YEARS_DEFAULT;
    await deletions.append(tenant.id, 0, { body: newDeletion(tenant.id, change.atMs, years), change });
  }
  await closeTenant(deps, c);
  return deletionOf(deps, tenant.id);
}

async function deletionOf(deps: TenantDeps, id: string): Promise<DeletionRevision> {
  const { body } = await tenantOf(deps, id);
  const deletion = await deps.control.deletions.current(body.id);
  if (deletion === undefined) throw new Failure("not_found", `The tenant '${body.id}' is not being deleted.`, { field: "tenant" });
  // Long texts that are seldom asked for: not loaded at the gateway's start.
  const { placesOf } = await import("../../shared/tenants/deletion-report.ts");
  return stamped({ ...deletion.body, places: placesOf(deletion.body) }, deletion);
}

/** Without what says nothing, since that is no change. */
function stated<T extends object>(fields: T): { [Name in keyof T]?: Exclude<T[Name], undefined> } {
  const said = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(said) as { [Name in keyof T]?: Exclude<T[Name], undefined> }; // the same fields without the undefined ones
}

function shown(tenant: Revision<Tenant>): TenantRevision {
  return stamped(tenant.body, tenant);
}

const REASON = { name: "Weir-Reason", summary: "Why; kept in the history" };

export const tenantPaths: PathGroup = {
  name: "tenants",
  summary: "Who calls and who pays",
  failure: FailureAnswer,
  paths: [
    {
      method: "post",
      path: "/admin/tenants",
      summary: "Makes a tenant",
      scope: "operate",
      body: NewTenant,
      answer: { status: 201, summary: "The tenant", schema: TenantRevision },
      refusals: ["conflict"],
    },
    {
      method: "get",
      path: "/admin/tenants",
      summary: "Lists tenants",
      scope: "operate",
      query: PageQuery,
      answer: { status: 200, summary: "One page", schema: pageOf(TenantRevision) },
    },
    {
      method: "get",
      path: "/admin/tenants/{id}",
      summary: "Shows a tenant",
      scope: "operate",
      headersOut: [ETAG],
      answer: { status: 200, summary: "The tenant", schema: TenantRevision },
      refusals: ["not_found"],
    },
    {
      method: "patch",
      path: "/admin/tenants/{id}",
      summary: "Changes a tenant's name, rate, limits, billing or duplicate window",
      scope: "operate",
      body: TenantChange,
      headers: [IF_MATCH],
      headersOut: [ETAG],
      answer: { status: 200, summary: "The tenant", schema: TenantRevision },
      refusals: ["not_found", "conflict", "precondition_failed"],
    },
    {
      method: "put",
      path: "/admin/tenants/{id}/billing",
      summary: "Says how a tenant is billed, in place of what was said before",
      scope: "billing",
      body: NewBilling,
      headers: [IF_MATCH],
      headersOut: [ETAG],
      answer: { status: 200, summary: "The tenant", schema: TenantRevision },
      refusals: ["not_found", "conflict", "precondition_failed"],
    },
    {
      method: "post",
      path: "/admin/tenants/{id}/close",
      summary: "Refuses a tenant's keys from now on, everywhere within 30 s",
      scope: "operate",
      headers: [REASON],
      answer: { status: 200, summary: "The closed tenant", schema: TenantRevision },
      refusals: ["not_found", "conflict"],
    },
    {
      method: "delete",
      path: "/admin/tenants/{id}",
      summary:
        "Closes a tenant at once and has erased whatever a person could be known by, in the background. What invoices rest on is kept for the legal time",
      scope: "operate",
      headers: [REASON],
      answer: { status: 202, summary: "How far the deletion is", schema: DeletionRevision },
      refusals: ["not_found", "conflict"],
    },
    {
      method: "get",
      path: "/admin/tenants/{id}/deletion",
      summary: "Reports what of a tenant was erased, what is kept, why and until when, and that what was erased was looked for again",
      scope: "operate",
      answer: { status: 200, summary: "The report", schema: DeletionRevision },
      refusals: ["not_found"],
    },
    {
      method: "get",
      path: "/admin/tenants/{id}/history",
      summary: "Lists what a tenant was, newest first",
      scope: "operate",
      query: PageQuery,
      answer: { status: 200, summary: "One page", schema: pageOf(TenantRevision) },
      refusals: ["not_found"],
    },
  ],
};
