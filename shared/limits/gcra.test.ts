import fc from "fast-check";
import { expect, test } from "vitest";
import { costUs, type Gcra, gcraOf, leaseSize, roomAt, waitUs } from "./gcra.ts";

const NOW_US = 1_795_000_000_000_000;
const anyPolicy = fc
  .record({ perSecond: fc.double({ min: 0.001, max: 20_000_000, noNaN: true }), burst: fc.integer({ min: 1, max: 1_000 }) })
  .map(gcraOf);

test("a rested policy has its whole burst, a spent one nothing, and waits for exactly one interval", () => {
  const policy = gcraOf({ perSecond: 10, burst: 5 });

  expect(policy).toEqual({ intervalUs: 100_000, burst: 5 });
  expect(roomAt(policy, 0, NOW_US)).toBe(5);
  expect(roomAt(policy, NOW_US + 500_000, NOW_US)).toBe(0);
  expect(waitUs(policy, { tatUs: NOW_US + 500_000, credits: 1 }, NOW_US)).toBe(100_000);
  expect(waitUs(policy, { tatUs: NOW_US + 500_000, credits: 5 }, NOW_US)).toBe(500_000);
});

test("no policy gives credits faster than its rate", () => {
  fc.assert(
    fc.property(fc.double({ min: 0.001, max: 20_000_000, noNaN: true }), fc.integer({ min: 1, max: 1_000_000 }), (perSecond, credits) => {
      const us = costUs(gcraOf({ perSecond, burst: 1 }), credits);

      expect((us / 1_000_000) * perSecond).toBeGreaterThanOrEqual(credits * (1 - 1e-12));
      expect(Number.isInteger(us)).toBe(true);
    }),
  );
});

test("there is room exactly when there is nothing to wait for", () => {
  fc.assert(
    fc.property(anyPolicy, fc.double({ min: -2, max: 2, noNaN: true }), (policy, backlog) => {
      const tatUs = NOW_US + Math.round(backlog * policy.burst * policy.intervalUs);

      expect(roomAt(policy, tatUs, NOW_US) > 0).toBe(waitUs(policy, { tatUs, credits: 1 }, NOW_US) === 0);
    }),
  );
});

test("after the wait there is room for one, and not a microsecond before", () => {
  fc.assert(
    fc.property(anyPolicy, fc.double({ min: 0, max: 3, noNaN: true }), (policy, backlog) => {
      const tatUs = NOW_US + Math.round(backlog * policy.burst * policy.intervalUs);
      const wait = waitUs(policy, { tatUs, credits: 1 }, NOW_US);
      fc.pre(wait > 0);

      expect(roomAt(policy, tatUs, NOW_US + wait)).toBeGreaterThanOrEqual(1);
      expect(roomAt(policy, tatUs, NOW_US + wait - 1)).toBe(0);
    }),
  );
});

test("a lease is never larger than the burst, and shrinks as more processes share the policy, up to so many that their writes would be too many", () => {
  const size = (policy: Gcra, lesseeCount: number) => leaseSize(policy, { lifeMs: 1_000, lesseeCount });
  const fast = gcraOf({ perSecond: 1_000, burst: 2_000 });

  expect([1, 10, 50, 5_000].map((count) => size(fast, count))).toEqual([500, 50, 10, 3]);
  expect(size(gcraOf({ perSecond: 1_000, burst: 7 }), 1)).toBe(7);
  expect(size(gcraOf({ perSecond: 5, burst: 100 }), 1)).toBe(1); // checked one by one
});
