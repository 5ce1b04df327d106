import { expect, test } from "vitest";
import { createFakeDynamo } from "../../test/harness/fake-dynamo/fake-dynamo.ts";
import { leanOver } from "../../test/harness/fake-dynamo/lean.ts";
import type { RoundCall } from "./round.ts";
import { bySoundTime, REFUSED_BY_CLOCK } from "./sound-time.ts";

const call: RoundCall = { nowMs: 1_000, signal: new AbortController().signal };

function worldOf() {
  const clock = { skewMs: 0 };
  const [logged, done]: [string[], number[]] = [[], []];
  // The skew is known once the store has answered, not before.
  let seenMs = 0;
  const lean = leanOver(createFakeDynamo({ tablePrefix: "weir" }), {
    after: () => {
      seenMs = clock.skewMs;
    },
    clockSkewMs: () => seenMs,
  });
  const log = (level: string, message: string) => void logged.push(`${level}: ${message}`);
  const round = bySoundTime(
    async ({ nowMs }) => {
      done.push(nowMs);
      return { hasMore: true };
    },
    { lean, tablePrefix: "weir", log },
  );
  return { clock, logged, done, round };
}

test.each([31_000, -31_000])(
  "a round by a clock that is %d ms off is refused and logged, and the next by a right one is done",
  async (skewMs) => {
    const { clock, logged, done, round } = worldOf();
    clock.skewMs = skewMs;

    await expect(round(call)).rejects.toMatchObject({
      code: "unavailable",
      message: expect.stringContaining(`${skewMs / 1_000} s off the store's`),
    });
    expect(done).toEqual([]);
    expect(logged).toEqual([`error: ${REFUSED_BY_CLOCK}`]);

    clock.skewMs = 30_000;
    expect(await round(call)).toEqual({ hasMore: true });
    expect(done).toEqual([1_000]);
  },
);

test("a round is refused that began by a clock which was set back before the store answered", async () => {
  const { logged, done, round } = worldOf();

  await expect(round({ ...call, isSetBack: () => true })).rejects.toThrow("set back");

  expect(done).toEqual([]);
  expect(logged).toEqual([`error: ${REFUSED_BY_CLOCK}`]);
});
