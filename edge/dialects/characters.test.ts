import fc from "fast-check";
import { expect, test } from "vitest";
import { createCharacterCounter } from "./characters.ts";

test("a place in UTF-16 units becomes the one in characters, wherever the wide ones stand", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom("a", "é", "🌊", "日", "\u0301")), fc.nat(), fc.nat(), (characters, one, other) => {
      const [start, end] = [one, other].map((place) => place % (characters.length + 1)).sort((a, b) => a - b) as [number, number]; // two of two
      const unitsBefore = (count: number) => characters.slice(0, count).join("").length;

      const counted = createCharacterCounter(characters.join(""))({ start: unitsBefore(start), end: unitsBefore(end), label: "x" });

      expect(counted).toEqual({ start, end, label: "x" });
    }),
  );
});
