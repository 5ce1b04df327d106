import { expect, test } from "vitest";
import { stopClock } from "../../test/harness/clock.ts";
import { createFakeDynamo } from "../../test/harness/fake-dynamo/fake-dynamo.ts";
import { leanOver } from "../../test/harness/fake-dynamo/lean.ts";
import type { Item } from "../../test/harness/fake-dynamo/values.ts";
import { createRandom } from "../../test/harness/random.ts";
import { createLeaseStore } from "./lease-store.dynamo.ts";
import { createCreditLimiter } from "./limiter.ts";
import { policiesOf } from "./policy.ts";

/** What DynamoDB does to one item in a second, whether a condition holds or not: writes of a KB. */
const ITEM_UNITS_MAX = 1_000;
const TICK_MS = 10;
const SECONDS = 4;

type Crowd = { readonly gateways: number; readonly perSecond: number; readonly load: number };
type Second = { admitted: number; offered: number; units: number };

/** Gateways that serve one tenant at once; what the item and the tenant saw of it, second by second. */
async function run({ gateways, perSecond, load }: Crowd): Promise<Second[]> {
  const [clock, store, random] = [stopClock(), createFakeDynamo({ tablePrefix: "weir" }), createRandom(7)];
  let now: Second = { admitted: 0, offered: 0, units: 0 };
  const before = (operation: string) => {
    if (operation !== "GetItem") now.units += Math.ceil(bytesOf(store.items("limits")[0] ?? {}) / 1_024);
  };
  const lean = leanOver(store, { before });
  const [policy] = policiesOf({ tenant: { id: "t", rate: { requestsPerSecond: perSecond, burst: perSecond } }, key: { id: "k" } }).requests;
  if (policy === undefined) throw new Error("a rate was asked for");
  const limiters = Array.from({ length: gateways }, (_, place) =>
    createCreditLimiter({
      store: createLeaseStore({ lean, tablePrefix: "weir", lessee: `gateway${place}` }),
      clock,
      random: () => random.next(),
    }),
  );
  const seconds: Second[] = [];
  for (let atMs = 0; atMs < SECONDS * 1_000; atMs += TICK_MS) {
    clock.advance(TICK_MS);
    const asks = Array.from({ length: (perSecond * load * TICK_MS) / 1_000 }, () => random.pick(limiters).take([policy], 1));
    now.offered += asks.length;
    now.admitted += (await Promise.all(asks)).filter(({ isAdmitted }) => isAdmitted).length;
    if ((atMs + TICK_MS) % 1_000 > 0) continue;
    seconds.push(now);
    now = { admitted: 0, offered: 0, units: 0 };
  }
  return seconds.slice(1); // in the first one they get to know each other
}

/** As DynamoDB counts them: names and values. */
function bytesOf(item: Item): number {
  return Object.entries(item).reduce(
    (sum, [name, value]) => sum + name.length + ("SS" in value ? value.SS : Object.values(value)).join("").length,
    0,
  );
}

test.each<Crowd>([
  { gateways: 8, perSecond: 1_000, load: 3 },
  { gateways: 100, perSecond: 1_000, load: 3 },
  { gateways: 400, perSecond: 2_000, load: 3 },
])(
  "$gateways gateways that are asked for three times the rate admit the rate, and leave the one item alone",
  { timeout: 60_000 },
  async (crowd) => {
    for (const { admitted, units } of await run(crowd)) {
      expect(admitted).toBeGreaterThan(0.9 * crowd.perSecond);
      expect(admitted).toBeLessThan(1.1 * crowd.perSecond);
      expect(units).toBeLessThanOrEqual(ITEM_UNITS_MAX);
    }
  },
);

test("400 gateways that stay below the rate refuse hardly anybody", { timeout: 60_000 }, async () => {
  for (const { admitted, offered, units } of await run({ gateways: 400, perSecond: 2_000, load: 0.7 })) {
    expect(admitted).toBeGreaterThan(0.93 * offered);
    expect(units).toBeLessThanOrEqual(ITEM_UNITS_MAX);
  }
});
