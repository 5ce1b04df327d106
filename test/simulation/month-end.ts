import { rangeOfMonth } from "../../shared/billing/month.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../shared/usage/period.ts";
import { settleAt, startAccountant } from "./accounting.ts";
import { bucketLink, invoiceAt, startInvoicer } from "./billing.ts";
import { type Done, doAll, type Planned } from "./deeds.ts";
import { finished, startFleet } from "./fleet.ts";
import { MONTH } from "./months.ts";
import { drawWeather } from "./plan.ts";
import { calmDown, changeWeather, keepRunning, type Part, roughen, type Scene, switchAllOff } from "./scene.ts";
import { sealAt, startSealer } from "./sealing.ts";

const AUDITABLE_AT_MS = rangeOfMonth(MONTH).toMs + DAY_MS;
/** When every lease of the first hours has been audited twice. */
const FINISHED_AT_MS = AUDITABLE_AT_MS + 4 * HOUR_MS + 10 * MINUTE_MS;
const HARD_MS = 2.5 * MINUTE_MS;
const STEPS_MAX = 500;

export type MonthEnd = { readonly troubles: readonly string[]; readonly deeds: readonly Done[] };

/**
 * A day after the month the functions, without any gateway, have hard times of their own; and later, when all is well, they finish what is left. In some
 * histories operators adjust drafts meanwhile, or correct what was issued when all is done, in hard times again.
 */
export async function endMonth(scene: Scene, operatorKey: string): Promise<MonthEnd> {
  const { world, store, plan, bucket } = scene;
  switchAllOff(scene);
  if (!plan.areFunctionsLate) {
    await world.runUntil(AUDITABLE_AT_MS - 1);
    await sealAt(store, world.nowMs()); // the empty day; nothing is read again yet
    if (plan.hasDrafts) await invoiceAt(store, bucket, world.nowMs());
  }
  await world.runUntil(AUDITABLE_AT_MS + plan.closesLateMs);
  const adjusted = plan.isMonthEndCalm ? [] : await haveHardTimes(scene, { operatorKey, deeds: plan.adjusting });
  await world.runUntil(FINISHED_AT_MS);
  await sealAt(store, FINISHED_AT_MS);
  const settled = [...(await settleAt(store, FINISHED_AT_MS)), ...(await invoiceAt(store, bucket, FINISHED_AT_MS))];
  if (plan.deeds.length === 0) return { troubles: settled, deeds: adjusted };
  const deeds = await haveHardTimes(scene, { operatorKey, deeds: plan.deeds });
  return { troubles: [...settled, ...(await invoiceAt(store, bucket, world.nowMs()))], deeds: [...adjusted, ...deeds] };
}

type Operators = { readonly operatorKey: string; readonly deeds: readonly Planned[] };

async function haveHardTimes(scene: Scene, { operatorKey, deeds }: Operators): Promise<readonly Done[]> {
  const { world } = scene;
  roughen(scene, drawWeather(world.random));
  startFunctions(scene);
  const doing = deeds.length === 0 ? Promise.resolve([]) : doAll(world, deeds, { fleet: startFleet(scene), operatorKey });
  world.after(HARD_MS / 2, () => changeWeather(scene, drawWeather(world.random)));
  await world.runUntil(world.nowMs() + HARD_MS);
  calmDown(scene);
  const done = await finished(world, doing); // a minute at least
  switchAllOff(scene);
  return done;
}

function startFunctions(scene: Scene) {
  const { world, plan } = scene;
  const { roundMsMax } = plan;
  const part = { killStepsMax: STEPS_MAX, ended: () => {} };
  for (let place = 0; place < plan.sealerCount; place += 1) {
    const start: Part["start"] = (machine, link) => startSealer(world, machine, { link, aheadMs: 0, roundMsMax });
    keepRunning(scene, { ...part, name: `sealer ${place}`, start });
  }
  for (let place = 0; place < plan.accountantCount; place += 1) {
    const start: Part["start"] = (machine, link) => startAccountant(machine, { link, roundMsMax });
    keepRunning(scene, { ...part, name: `accountant ${place}`, start });
  }
  const documents = bucketLink(world, scene.bucket, () => scene.state.weather);
  for (let place = 0; place < plan.invoicerCount; place += 1) {
    const start: Part["start"] = (machine, link) => startInvoicer(machine, { link, documents, roundMsMax });
    keepRunning(scene, { ...part, name: `invoicer ${place}`, start });
  }
}
