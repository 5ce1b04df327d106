import { afterAll, beforeAll, expect, test } from "vitest";
import { stopClock } from "../../test/harness/clock.ts";
import { startDynamo, type TestDynamo } from "../../test/harness/dynamo.ts";
import { createErasingWorld } from "../../test/harness/erasing.ts";
import { compose } from "./compose.ts";
import { readConfig } from "./config.ts";

const YEAR_MS = 365 * 86_400_000;

let store: TestDynamo;
beforeAll(async () => {
  store = await startDynamo();
});
afterAll(() => store.close());

test.each([1, 20, -1])("by a clock that is %d years ahead nothing is erased, tidied away or measured", async (years) => {
  const world = createErasingWorld(store.dynamo);
  const tenant = `acme${years}`;
  await world.makeTenant(tenant);
  const clock = stopClock();
  clock.advance(years * YEAR_MS);
  const config = readConfig({
    WEIR_DYNAMO_ENDPOINT: store.endpoint,
    WEIR_S3_ENDPOINT: "http://127.0.0.1:9", // nothing is asked there
    WEIR_GATEWAY_URL: "http://127.0.0.1:9",
    WEIR_PEPPERS: JSON.stringify({ "1": "a pepper of tests only" }),
  });
  const { round, close } = await compose(config, clock);
  const before = await world.saying(tenant, /./);

  await expect(round({ nowMs: clock.nowMs(), signal: new AbortController().signal })).rejects.toThrow("off the store's");

  expect(await world.saying(tenant, /./)).toEqual(before);
  expect((await world.deps.deletions.current(tenant))?.revision).toBe(1);
  await close();
});
