import { MINUTE_MS } from "../../shared/usage/period.ts";
import { createBodies, type Gateway, startGateway } from "./gateway.ts";
import { keepRunning, type Scene } from "./scene.ts";
import type { World } from "./world.ts";

/** The gateways, as they come and go: undefined where there is none just now. */
export type Fleet = readonly (Gateway | undefined)[];

const GATEWAY_STEPS_MAX = 150;
const PATIENCE_MINUTES_MAX = 30;

export function startFleet(scene: Scene): Fleet {
  const fleet: (Gateway | undefined)[] = [];
  const bodies = createBodies(scene.world);
  for (let place = 0; place < scene.plan.gatewayCount; place += 1) {
    keepRunning(scene, {
      name: `gateway ${place}`,
      killStepsMax: scene.focus.leaning.gatewayStepsMax ?? GATEWAY_STEPS_MAX,
      start: (machine, link) => {
        fleet[place] = startGateway(scene.world, machine, { link, bodies, habits: scene.focus.leaning.engine });
      },
      ended: () => {
        fleet[place] = undefined;
      },
    });
  }
  return fleet;
}

/** Lets the patient have their answers. */
export async function finished<T>(world: World, attempts: Promise<T>): Promise<T> {
  const waiting = Symbol("waiting");
  for (let minute = 0; minute < PATIENCE_MINUTES_MAX; minute += 1) {
    await world.runUntil(world.nowMs() + MINUTE_MS);
    const seen = await Promise.race([attempts, Promise.resolve(waiting)]);
    if (seen !== waiting) return seen as T; // what else a race of the two gives
  }
  throw new Error(`seed ${world.seed}: a caller still waits after ${PATIENCE_MINUTES_MAX} minutes of calm`);
}
