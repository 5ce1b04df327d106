import { unlessConflict } from "../../shared/base/failure.ts";
import { SELLER } from "../../shared/billing/invoices/seller.ts";
import type { Swept } from "../../shared/dynamo/eraser.ts";
import type { Change, Revision } from "../../shared/dynamo/revision-log.ts";
import {
  type Deletion,
  keptUntil,
  LATE_STEPS,
  RETENTION_YEARS_DEFAULT,
  STEPS,
  type Step,
  type StepName,
  stepOf,
} from "../../shared/tenants/deletion.ts";
import type { ErasingDeps } from "./erase-deps.ts";
import { remainingOf, type Steps, stepsOf, type Work } from "./erase-steps.ts";
import { lateStepsOf } from "./late-steps.ts";
import { whyNotYet } from "./wait-for.ts";

/** What a second look may find although its step is done: something that was being made when its tenant closed. */
const LOOKED_AT_AGAIN = ["keys", "webhooks", "uses", "counters", "events", "identity"] as const satisfies readonly StepName[];

type Advanced = { readonly deletion: Deletion; readonly hasMore: boolean };

/**
 * Takes a deletion as far as one round goes and says whether more can be done now. What was done lies in its log; a round that was killed
 * in the middle, or ran twice at once, has erased what the next one then passes over.
 */
export async function eraseTenant(deps: ErasingDeps, current: Revision<Deletion>, nowMs: number): Promise<{ hasMore: boolean }> {
  const change: Change = { by: "caretaker", why: "deletion of the tenant", atMs: nowMs };
  await closeTenant(deps, current.body.tenant, change);
  const work = { deletion: current.body, nowMs };
  const { deletion, hasMore } = current.body.state === "erased" ? await remove(deps, work) : await erase(deps, work, change);
  if (JSON.stringify(deletion) === JSON.stringify(current.body)) return { hasMore };
  await unlessConflict(deps.deletions.append(deletion.tenant, current.revision, { body: deletion, change })); // another round may have written down the same
  return { hasMore };
}

/** Whether a round has anything to do with it. */
export function isDue({ state, keptUntil: until }: Deletion, nowMs: number): boolean {
  if (state === "removed") return false;
  return state !== "erased" || until === undefined || Date.parse(until) <= nowMs;
}

async function erase(deps: ErasingDeps, work: Work, change: Change): Promise<Advanced> {
  const { deletion, hasMore, isDone } = await advance(deps, work, { names: STEPS, steps: stepsOf(deps, change) });
  if (!isDone) return { deletion, hasMore };
  const { waitingFor: _, ...rest } = deletion;
  const verified = { at: new Date(work.nowMs).toISOString(), remaining: await remainingOf(deps, { ...work, deletion }) };
  if (verified.remaining > 0) return { deletion: { ...again(rest), verified }, hasMore: false };
  const years = (await deps.sellers.current(SELLER))?.body.retentionYears ?? RETENTION_YEARS_DEFAULT;
  return { deletion: { ...rest, state: "erased", keptUntil: keptUntil(work.nowMs, years), verified }, hasMore: false };
}

/** What the law wanted kept, when it does not any more. */
async function remove(deps: ErasingDeps, work: Work): Promise<Advanced> {
  const { deletion, hasMore, isDone } = await advance(deps, work, { names: LATE_STEPS, steps: lateStepsOf(deps) });
  return isDone ? { deletion: { ...deletion, state: "removed" }, hasMore: false } : { deletion, hasMore };
}

type Course<Name extends StepName> = { readonly names: readonly Name[]; readonly steps: Steps<Name> };

async function advance<Name extends StepName>(
  deps: ErasingDeps,
  work: Work,
  { names, steps }: Course<Name>,
): Promise<Advanced & { isDone: boolean }> {
  let { deletion } = work;
  for (const name of names) {
    const step = stepOf(deletion, name);
    if (step.finishedAt !== undefined) continue;
    const waitingFor = deletion.state === "erased" ? undefined : await whyNotYet(deps, { ...work, deletion }, name);
    if (waitingFor !== undefined) return { deletion: waiting(deletion, name, waitingFor), hasMore: false, isDone: false };
    const swept = await steps[name]({ ...work, deletion });
    deletion = { ...deletion, steps: { ...deletion.steps, [name]: stepAfter(step, swept, work.nowMs) } };
    if (!swept.isDone) return { deletion, hasMore: true, isDone: false };
  }
  return { deletion, hasMore: false, isDone: true };
}

/** Something was written while we erased, such as a key that was being made when its tenant closed: the next round looks again. */
function again(deletion: Deletion): Deletion {
  const redone = LOOKED_AT_AGAIN.map((name) => [name, { erased: stepOf(deletion, name).erased }]);
  return { ...deletion, state: "erasing", steps: { ...deletion.steps, ...Object.fromEntries(redone) } };
}

/** What the last invoice needs waits for it; the others for what still runs. */
function waiting(deletion: Deletion, name: StepName, waitingFor: string): Deletion {
  const isForInvoice = name === "drafts" || name === "events" || name === "identity";
  return { ...deletion, state: isForInvoice ? "waiting" : "erasing", waitingFor };
}

function stepAfter({ erased }: Step, swept: Swept, nowMs: number): Step {
  return {
    erased: erased + swept.erased,
    ...(swept.isDone ? { finishedAt: new Date(nowMs).toISOString() } : {}),
    ...(swept.cursor === undefined ? {} : { cursor: swept.cursor }),
  };
}

/** Should the request have closed it and died before: a deletion alone closes it, too. */
async function closeTenant({ tenants }: ErasingDeps, id: string, change: Change) {
  const tenant = await tenants.current(id);
  if (tenant === undefined || tenant.body.isClosed) return;
  await tenants.append(id, tenant.revision, { body: { ...tenant.body, isClosed: true }, change });
}
