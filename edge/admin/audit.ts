import { Hono } from "hono";
import { AUDIT_RANGE_DAYS_MAX, AuditEntry, AuditQuery, type AuditRange, isMadeBy, shownChange } from "../../shared/audit/audit.ts";
import { Failure, FailureAnswer } from "../../shared/base/failure.ts";
import { type Page, pageOf } from "../../shared/base/page.ts";
import type { Deps } from "../deps.ts";
import type { EdgeEnv } from "../env.ts";
import { checked } from "../http.ts";
import type { PathGroup } from "../openapi.ts";

type AuditDeps = Pick<Deps, "clock" | "trail">;

const DAY_MS = 86_400_000;
const RANGE_DAYS_DEFAULT = 30;

/** `/admin/audit`: who changed what, when and why. The revision logs are the trail: nothing is written for it, so nothing can be missing. */
export function auditRoutes(deps: AuditDeps) {
  return new Hono<EdgeEnv>().get("/", async (c) => c.json(await read(deps, checked(c.req.query(), AuditQuery))));
}

async function read({ trail, clock }: AuditDeps, { noun, id, actor, from, to, ...page }: AuditQuery): Promise<Page<AuditEntry>> {
  if (id !== undefined && noun === undefined) throw new Failure("invalid_request", "noun: say of which noun the id is", { field: "noun" });
  if (id !== undefined && (from ?? to) !== undefined) {
    throw new Failure("invalid_request", "from: a thing's changes are listed from the newest to the first", { field: "from" });
  }
  const range = rangeOf({ from, to }, clock.nowMs());
  const changes =
    noun !== undefined && id !== undefined
      ? await trail.of(noun, id, page)
      : await trail.across({ ...range, ...(noun === undefined ? {} : { noun }), ...(actor === undefined ? {} : { actor }) }, page);
  const wanted = changes.items.filter((change) => actor === undefined || isMadeBy(change, actor));
  return { ...changes, items: wanted.map(shownChange) };
}

function rangeOf({ from, to }: Pick<AuditQuery, "from" | "to">, nowMs: number): AuditRange {
  const toMs = to === undefined ? nowMs + 1 : Date.parse(to);
  const fromMs = from === undefined ? toMs - RANGE_DAYS_DEFAULT * DAY_MS : Date.parse(from);
  if (fromMs >= toMs) throw new Failure("invalid_request", "from: must be before `to`, which is now unless said", { field: "from" });
  if (toMs - fromMs > AUDIT_RANGE_DAYS_MAX * DAY_MS) {
    throw new Failure("invalid_request", `from: must be at most ${AUDIT_RANGE_DAYS_MAX} days before \`to\``, { field: "from" });
  }
  return { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() };
}

export const auditPaths: PathGroup = {
  name: "audit",
  summary: "Who changed what, when and why, with what was before and after",
  failure: FailureAnswer,
  paths: [
    {
      method: "get",
      path: "/admin/audit",
      summary:
        "Lists changes, newest first: of the last 30 days, of a range, of a noun, of one thing, or of who made them. A page may be short and have a next one",
      scope: "operate",
      query: AuditQuery,
      answer: { status: 200, summary: "One page", schema: pageOf(AuditEntry) },
      refusals: ["unsupported"],
    },
  ],
};
