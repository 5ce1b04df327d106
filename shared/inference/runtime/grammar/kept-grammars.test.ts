import { expect, test } from "vitest";
import { createKeptGrammars } from "./kept-grammars.ts";

const keysOf = (kept: ReturnType<typeof createKeptGrammars>) => ["a", "b", "c", "d"].filter((key) => kept.get(key) !== undefined);

test("no more are kept than the count allows, and the one that waited the longest goes first", () => {
  const kept = createKeptGrammars({ countMax: 2, stepsMax: 100 });

  kept.put("a", { steps: 1 });
  kept.put("b", { steps: 1 });
  kept.get("a");
  kept.put("c", { steps: 1 });

  expect(keysOf(kept)).toEqual(["a", "c"]);
});

test("no more are kept than the steps allow, and one that is too large by itself is not kept", () => {
  const kept = createKeptGrammars({ countMax: 9, stepsMax: 10 });

  kept.put("a", { steps: 6 });
  kept.put("b", { steps: 3 });
  kept.put("b", { steps: 4 });
  const full = keysOf(kept);
  kept.put("c", { steps: 5 });
  const turned = keysOf(kept);
  kept.put("d", { steps: 11 });

  expect(full).toEqual(["a", "b"]);
  expect(turned).toEqual(["b", "c"]);
  expect(keysOf(kept)).toEqual([]);
});
