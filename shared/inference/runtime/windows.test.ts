import fc from "fast-check";
import { expect, test } from "vitest";
import { longestFirst, windowsOf } from "./windows.ts";

test("of a pair, the shorter text is cut last and the sum fits", () => {
  fc.assert(
    fc.property(fc.nat(300), fc.nat(300), fc.nat(200), (first, second, room) => {
      const kept = longestFirst({ first, second }, room);
      expect(kept.first + kept.second).toBe(Math.min(first + second, room));
      expect(kept.first).toBeLessThanOrEqual(first);
      expect(kept.second).toBeLessThanOrEqual(second);
      if (kept.first < first) expect(kept.first).toBeGreaterThanOrEqual(Math.min(kept.second, Math.floor(room / 2)));
    }),
  );
});

test("windows hold every token once or, where they overlap, as often as they share it", () => {
  fc.assert(
    fc.property(fc.nat(200), fc.integer({ min: 1, max: 40 }), fc.nat(60), (tokens, room, stride) => {
      const windows = windowsOf(tokens, { room, stride });
      const shared = stride < room ? stride : Math.floor(room / 2);
      expect(windows[0]?.start).toBe(0);
      expect(windows.at(-1)?.end).toBe(tokens);
      windows.forEach(({ start, end }, index) => {
        expect(end - start).toBeLessThanOrEqual(room);
        const before = windows[index - 1];
        if (before !== undefined) expect(before.end - start).toBe(shared);
      });
    }),
  );
});

test("a text without tokens is one empty window", () => {
  expect(windowsOf(0, { room: 5, stride: 2 })).toEqual([{ start: 0, end: 0 }]);
});
