import { beforeEach, expect, test } from "vitest";
import { systemIds } from "../shared/base/id.ts";
import { newKeyId, peppersOf } from "../shared/keys/key.ts";
import { type StoppedClock, stopClock } from "../test/harness/clock.ts";
import { type AdmitUnknown, createUnknownKeys } from "./unknown-keys.ts";

const peppers = peppersOf({ 1: "a pepper for tests only" });
let clock: StoppedClock;
let admit: AdmitUnknown;
beforeEach(() => {
  clock = stopClock();
  admit = createUnknownKeys({ clock, peppers });
});

/** How many of these made-up keys are looked up. */
function lookedUp(count: number, addressAt: (turn: number) => string | undefined): number {
  let looks = 0;
  for (let turn = 0; turn < count; turn += 1) {
    try {
      admit(systemIds.base62(16), addressAt(turn));
      looks += 1;
    } catch (cause) {
      expect(cause).toMatchObject({ code: "rate_limited", retryAfterMs: 1_000 });
    }
  }
  return looks;
}

test("keys that are made up in one place are looked up 32 times at once, and 8 times a second after that", () => {
  expect(lookedUp(1_000, () => "192.0.2.7")).toBe(32);
  clock.advance(1_000);
  expect(lookedUp(1_000, () => "192.0.2.7")).toBe(8);
  clock.advance(60_000);
  expect(lookedUp(1_000, () => "192.0.2.7")).toBe(32);
});

test("a clock that is set back holds nobody up", () => {
  lookedUp(1_000, () => "192.0.2.7");
  clock.advance(-3_600_000);

  expect(lookedUp(1_000, () => "192.0.2.7")).toBe(32);
});

test("from everywhere at once there is a bound as well", () => {
  expect(lookedUp(20_000, (turn) => `10.${turn >> 8}.${turn & 255}.1`)).toBe(32 * 32);
});

test("a network of IPv6 is one place, however its addresses are written", () => {
  const addresses = ["2001:db8::1", "2001:db8:0:0:ffff::2", "2001:0db8:0000:0000:1:2:3:4", "2001:db8::a:b:c:d"];

  expect(lookedUp(1_000, (turn) => addresses[turn % addresses.length])).toBe(32);
  expect(lookedUp(1_000, () => "::ffff:192.0.2.7")).toBe(32);
  expect(lookedUp(1_000, () => "192.0.2.7")).toBe(0);
});

test("callers of whom nobody knows where they are share a lane", () => {
  expect(lookedUp(40, () => undefined)).toBe(32);
});

test("a key with the installation's mark is looked up whatever others do", () => {
  lookedUp(1_000, () => "192.0.2.7");

  for (let turn = 0; turn < 1_000; turn += 1) admit(newKeyId({ ids: systemIds, peppers }), "192.0.2.7");
});
