import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../shared/base/clock.ts";
import { Failure } from "../../shared/base/failure.ts";
import { createDynamo } from "../../shared/dynamo/client.ts";
import { createLeanDynamo } from "../../shared/dynamo/lean-client.ts";
import { startDynamo, type TestDynamo } from "../harness/dynamo.ts";
import { type StoreValve, startStoreValve } from "../harness/store-valve.ts";
import { CONTRACTS, type Stores } from "./store-contracts.ts";

const WRITERS = 6;
const WAITS_MS_MAX = 60_000;

let engine: TestDynamo;
let valve: StoreValve;
let stores: Stores;
beforeAll(async () => {
  engine = await startDynamo();
  valve = await startStoreValve(engine.endpoint);
  const settings = { region: "eu-central-1", tablePrefix: "weir", endpoint: valve.endpoint };
  stores = { dynamo: createDynamo(settings, systemClock), lean: createLeanDynamo(settings, systemClock) };
});
afterEach(() => valve.turn("open"));
afterAll(async () => {
  await stores.lean.close();
  await stores.dynamo.lean.close();
  await valve.close();
  await engine.close();
});

describe.for(CONTRACTS)("$name", ({ step, operation }) => {
  test("of many at once exactly one does", { timeout: WAITS_MS_MAX }, async () => {
    const take = await step(stores);

    const won = await Promise.all(Array.from({ length: WRITERS }, (_, writer) => take(writer)));

    expect(won.filter((each) => each)).toHaveLength(1);
  });

  test("a store that is away is said to be so, and nothing was done", { timeout: WAITS_MS_MAX }, async () => {
    const take = await step(stores);
    valve.turn("closed");

    await expect(take(0)).rejects.toMatchObject({ code: "unavailable" });
    valve.turn("open");

    expect(await take(1)).toBe(true);
  });

  test("one that is throttled is tried again or refused, and never done twice", { timeout: WAITS_MS_MAX }, async () => {
    const take = await step(stores);
    valve.once("throttled", operation);

    const first = await take(0).catch((cause: unknown) => cause);
    const second = await take(1);

    expect(first === true || (first instanceof Failure && first.code === "unavailable")).toBe(true);
    expect(second).toBe(first !== true);
  });
});
