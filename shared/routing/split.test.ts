import fc from "fast-check";
import { expect, test } from "vitest";
import { bucketOf } from "../base/hash.ts";
import { liveVersionOf, pickArm, reshare, type Share, SLOT_COUNT, Split, sharesOf } from "./split.ts";

const UNITS = Array.from({ length: 10_000 }, (_, index) => `unit-${index}`);

/** Shares of 1 to 10 distinct versions that sum to 10,000. */
const anyShares = fc
  .uniqueArray(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 10 })
  .chain((versions) =>
    fc.tuple(fc.constant(versions), fc.uniqueArray(fc.integer({ min: 1, max: SLOT_COUNT - 1 }), sized(versions.length - 1))),
  )
  .map(([versions, cuts]): Share[] => {
    const ends = [...cuts.toSorted((a, b) => a - b), SLOT_COUNT];
    return versions.map((version, index) => ({ version, shareBps: (ends[index] ?? 0) - (ends[index - 1] ?? 0) }));
  });

function sized(length: number) {
  return { minLength: length, maxLength: length };
}

const byVersion = (shares: readonly Share[]) => shares.toSorted((a, b) => a.version - b.version);
const versionsOf = (split: Split) => UNITS.map((unit) => pickArm(split, unit).version);
const shareOf = (shares: readonly Share[], version: number) => shares.find((share) => share.version === version)?.shareBps ?? 0;

/** Which version owns each slot. */
function ownersOf(split: Split): number[] {
  return split.ranges.flatMap(({ slotEnd, arm }, index) => {
    const start = split.ranges[index - 1]?.slotEnd ?? 0;
    return Array.from({ length: slotEnd - start }, () => split.arms[arm]?.version ?? 0);
  });
}

test("after any changes the shares are exactly what was asked, and every slot has an owner", () => {
  fc.assert(
    fc.property(fc.array(anyShares, { minLength: 1, maxLength: 5 }), (changes) => {
      let split: Split | undefined;
      for (const shares of changes) split = Split.parse(reshare("m", split, shares));

      expect(byVersion(sharesOf(split ?? reshare("m", undefined, [])))).toEqual(byVersion(changes.at(-1) ?? []));
      expect(split?.ranges.at(-1)?.slotEnd).toBe(SLOT_COUNT);
    }),
    { numRuns: 40 },
  );
});

test("a change moves exactly as many slots as growing versions must gain", () => {
  fc.assert(
    fc.property(anyShares, anyShares, (before, after) => {
      const [old, changed] = [reshare("m", undefined, before), reshare("m", undefined, before)].map((split, index) =>
        index === 0 ? split : reshare("m", split, after),
      );
      if (old === undefined || changed === undefined) throw new Error("two splits were made");

      const owners = ownersOf(changed);
      const movedCount = ownersOf(old).filter((owner, slot) => owner !== owners[slot]).length;

      const mustMove = after.reduce((sum, { version, shareBps }) => sum + Math.max(0, shareBps - shareOf(before, version)), 0);
      expect(movedCount).toBe(mustMove);
    }),
    { numRuns: 40 },
  );
});

test("10,000 units land within one percentage point of 90/10, and stick", () => {
  const split = reshare("minilm", undefined, [
    { version: 1, shareBps: 9_000 },
    { version: 2, shareBps: 1_000 },
  ]);

  const versions = versionsOf(split);

  const canaryCount = versions.filter((version) => version === 2).length;
  expect(Math.abs(canaryCount - 1_000)).toBeLessThanOrEqual(100);
  expect(versionsOf(split)).toEqual(versions);
});

test("raising the canary's share moves units to it and none back", () => {
  const before = reshare("minilm", undefined, [
    { version: 1, shareBps: 9_000 },
    { version: 2, shareBps: 1_000 },
  ]);
  const after = reshare("minilm", before, [
    { version: 1, shareBps: 8_000 },
    { version: 2, shareBps: 2_000 },
  ]);

  const versionsAfter = versionsOf(after);
  const moves = versionsOf(before).map((version, index) => [version, versionsAfter[index]]);

  const moved = moves.filter(([was, is]) => was !== is);
  expect(new Set(moved.map(String))).toEqual(new Set(["1,2"]));
  expect(Math.abs(moved.length - 1_000)).toBeLessThanOrEqual(100);
});

test("two models' units fall independently of each other", () => {
  const halves = [
    { version: 1, shareBps: 5_000 },
    { version: 2, shareBps: 5_000 },
  ];
  const [one, other] = [versionsOf(reshare("one", undefined, halves)), versionsOf(reshare("other", undefined, halves))];

  const sameCount = one.filter((version, index) => version === other[index]).length;

  expect(Math.abs(sameCount - 5_000)).toBeLessThan(250);
});

test("stable keeps its version while that has any share, then goes to the largest", () => {
  const first = reshare("m", undefined, [
    { version: 3, shareBps: 4_000 },
    { version: 1, shareBps: 6_000 },
  ]);
  const grown = reshare("m", first, [
    { version: 1, shareBps: 1 },
    { version: 3, shareBps: 9_999 },
  ]);
  const gone = reshare("m", grown, [{ version: 3, shareBps: 10_000 }]);

  expect([first, grown, gone].map(liveVersionOf)).toEqual([1, 1, 3]);
  expect(grown.arms.map(({ name }) => name)).toEqual(["stable", "canary"]);
});

test("a split that cannot decide is our own mistake, never a guess", () => {
  const arms = [{ name: "stable", version: 1 }];

  expect(() => pickArm({ model: "m", arms, ranges: [{ slotEnd: 10_000, arm: 1 }] }, "u")).toThrow("without an arm");
  expect(() => reshare("m", undefined, [{ version: 1, shareBps: 9_999 }])).toThrow("must sum to 10000");
});

test("a unit's slot is the same in every release", () => {
  const slots = ["acme\nalice", "acme\nbob", ""].map((unit) => bucketOf(`minilm\n${unit}`, SLOT_COUNT));

  expect(slots).toEqual([8111, 880, 8097]);
  const cut = (shareBps: number) =>
    reshare("minilm", undefined, [
      { version: 1, shareBps },
      { version: 2, shareBps: SLOT_COUNT - shareBps },
    ]);
  expect([8111, 8112].map((shareBps) => pickArm(cut(shareBps), "acme\nalice").version)).toEqual([2, 1]);
});
