import { expect, test } from "vitest";
import { ASKED_AT_MS, createErasingWorld, INVOICED_AT_MS, PERSONAL } from "../../test/harness/erasing.ts";
import { createFakeDynamo } from "../../test/harness/fake-dynamo/fake-dynamo.ts";
import { leanOver } from "../../test/harness/fake-dynamo/lean.ts";

const REMOVED_AT_MS = Date.UTC(2037, 0, 1);
const TIMES_MS = [ASKED_AT_MS, ASKED_AT_MS + 15 * 60_000, INVOICED_AT_MS, REMOVED_AT_MS];
class Killed extends Error {}

/** Stores in memory, of items and objects, and a process that dies at a call: before it is done, or when it is done and nobody has heard of it. */
function start() {
  const store = createFakeDynamo({ tablePrefix: "weir" });
  const life = { callsLeft: Number.POSITIVE_INFINITY, isDoneThen: false, calls: 0 };
  /** Called before a call is done, and when it is done. */
  const touch = (isDone: boolean) => {
    if (!isDone) {
      if (life.callsLeft < 0) throw new Killed();
      life.callsLeft -= 1;
      life.calls += 1;
    }
    if (life.callsLeft < 0 && life.isDoneThen === isDone) throw new Killed();
  };
  const lean = leanOver(store, { before: () => touch(false), after: () => touch(true) });
  return { life, world: createErasingWorld({ lean, tablePrefix: "weir" }, touch) };
}

async function callsOfAll(): Promise<number> {
  const { life, world } = start();
  await world.makeTenant("acme");
  const before = life.calls;
  for (const atMs of TIMES_MS) await world.runAt(atMs);
  return life.calls - before;
}

test("a deletion that is killed at any call of the stores, before or after it is done, goes on to the same end", {
  timeout: 120_000,
}, async () => {
  const callCount = await callsOfAll();
  expect(callCount).toBeGreaterThan(100);

  for (let killedAt = 0; killedAt < callCount; killedAt += 1) {
    for (const isDoneThen of [false, true]) {
      const { life, world } = start();
      await world.makeTenant("acme");
      Object.assign(life, { callsLeft: killedAt, isDoneThen });
      for (const atMs of TIMES_MS) {
        await world.runAt(atMs).catch((error) => {
          if (!isKill(error)) throw error;
          life.callsLeft = Number.POSITIVE_INFINITY; // and another process takes its place
          return world.runAt(atMs);
        });
      }

      const at = `killed at call ${killedAt}, ${isDoneThen ? "which was done" : "before it was done"}`;
      expect((await world.deps.deletions.current("acme"))?.body, at).toMatchObject({ state: "removed", verified: { remaining: 0 } });
      expect(await world.saying("acme", PERSONAL), at).toEqual([]);
      expect([...world.objects.keys()], at).toEqual([]);
    }
  }
});

/** Stores wrap what they do not know. */
function isKill(error: unknown): boolean {
  return error instanceof Killed || (error instanceof Error && isKill(error.cause));
}
