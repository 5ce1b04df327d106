import { rangeOfMonth } from "../../shared/billing/month.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../shared/usage/period.ts";
import { settleAt, startAccountant } from "./accounting.ts";
import { bucketLink, invoiceAt, startInvoicer } from "./billing.ts";
import { drawWeather } from "./plan.ts";
import { calmDown, changeWeather, keepRunning, type Part, roughen, type Scene, switchAllOff } from "./scene.ts";
import { sealAt, startSealer } from "./sealing.ts";

export const MONTH = "2026-11";
/** Requests come in the last hour of the first, and some in the first of the second. */
export const MONTHS = [MONTH, "2026-12"] as const;

const AUDITABLE_AT_MS = rangeOfMonth(MONTH).toMs + DAY_MS;
/** When every lease of the first hours has been audited twice. */
const FINISHED_AT_MS = AUDITABLE_AT_MS + 4 * HOUR_MS + 10 * MINUTE_MS;
const HARD_MS = 2.5 * MINUTE_MS;
const STEPS_MAX = 500;

/** A day after the month the functions, without any gateway, have hard times of their own; and later, when all is well, they finish what is left. */
export async function endMonth(scene: Scene): Promise<readonly string[]> {
  const { world, store } = scene;
  switchAllOff(scene);
  if (!scene.plan.areFunctionsLate) {
    await world.runUntil(AUDITABLE_AT_MS - 1);
    await sealAt(store, world.nowMs()); // the empty day; nothing is read again yet
    if (scene.plan.hasDrafts) await invoiceAt(store, scene.bucket, world.nowMs());
  }
  await world.runUntil(AUDITABLE_AT_MS + scene.plan.closesLateMs);
  if (!scene.plan.isMonthEndCalm) await haveHardTimes(scene);
  await world.runUntil(FINISHED_AT_MS);
  await sealAt(store, FINISHED_AT_MS);
  return [...(await settleAt(store, FINISHED_AT_MS)), ...(await invoiceAt(store, scene.bucket, FINISHED_AT_MS))];
}

async function haveHardTimes(scene: Scene) {
  const { world } = scene;
  roughen(scene, drawWeather(world.random));
  startFunctions(scene);
  world.after(HARD_MS / 2, () => changeWeather(scene, drawWeather(world.random)));
  await world.runUntil(world.nowMs() + HARD_MS);
  calmDown(scene);
  await world.runUntil(world.nowMs() + MINUTE_MS);
  switchAllOff(scene);
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
