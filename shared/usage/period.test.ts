import { expect, test } from "vitest";
import { bucketCountOf, minutesIn, periodAt, periodsIn, rangeOf, startOf } from "./period.ts";

test("periods are named by their UTC start, and their ranges touch without a gap", () => {
  const atMs = Date.UTC(2026, 1, 28, 23, 59, 59, 999);

  expect(periodAt("hour", atMs).name).toBe("2026-02-28T23");
  expect(rangeOf(periodAt("day", atMs))).toEqual({ fromMs: Date.UTC(2026, 1, 28), toMs: Date.UTC(2026, 2, 1) });
  expect(rangeOf({ kind: "month", name: "2026-02" })).toEqual({ fromMs: Date.UTC(2026, 1, 1), toMs: Date.UTC(2026, 2, 1) });
});

test.each([
  ["2026-01", 31],
  ["2026-02", 28],
  ["2028-02", 29],
  ["2026-04", 30],
])("%s has %i days of 24 hours of 60 minutes, whatever clocks do elsewhere", (name, days) => {
  const month = rangeOf({ kind: "month", name });

  expect([...periodsIn("day", month)]).toHaveLength(days);
  expect([...periodsIn("hour", month)]).toHaveLength(days * 24);
  expect([...minutesIn(month)]).toHaveLength(days * 24 * 60);
});

test("a range that begins and ends within minutes touches both", () => {
  const range = { fromMs: Date.UTC(2026, 10, 23, 19, 59, 30), toMs: Date.UTC(2026, 10, 23, 20, 0, 1) };

  expect([...minutesIn(range)]).toEqual(["2026-11-23T19:59", "2026-11-23T20:00"]);
  expect([...periodsIn("hour", range)].map(({ name }) => name)).toEqual(["2026-11-23T19", "2026-11-23T20"]);
});

test("an hour in which the number of shards changes has the buckets of both schedules", () => {
  const schedule = [
    { fromMinute: "", shardCount: 1 },
    { fromMinute: "2026-11-23T19:40", shardCount: 4 },
  ];

  expect(bucketCountOf(rangeOf({ kind: "hour", name: "2026-11-23T19" }), schedule)).toBe(40 + 20 * 4);
});

test("buckets are counted as their minutes are, wherever in the schedule a range lies", () => {
  const schedule = [
    { fromMinute: "", shardCount: 1 },
    { fromMinute: "2026-11-23T19:40", shardCount: 4 },
  ];
  const aroundMs = Date.UTC(2026, 10, 23, 19, 40);

  for (const [from, to] of [
    [-90, -30],
    [-30, 30],
    [0, 3_600],
    [1, 61],
    [59, 60],
    [7_200, 90_000],
  ] as const) {
    const range = { fromMs: aroundMs + from * 1_000, toMs: aroundMs + to * 1_000 };
    const minutes = [...minutesIn(range)];
    expect(bucketCountOf(range, schedule)).toBe(minutes.reduce((sum, minute) => sum + (minute < "2026-11-23T19:40" ? 1 : 4), 0));
  }
});

test("a name that is none is our mistake", () => {
  expect(() => startOf("2026-13")).toThrow("names no minute");
});
