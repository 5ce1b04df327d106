import { expect, test } from "vitest";
import { isSamePublication, type NewVersion, newVersionOf } from "./publication.ts";
import type { Placement } from "./version.ts";

const FILES = [
  { path: "config.json", bytes: 2, sha256: "1".repeat(64) },
  { path: "onnx/model.onnx", bytes: 3, sha256: "2".repeat(64) },
];
const PLACE: Placement = { pool: "gpu", dtype: "fp32" };
const Q8 = { pool: "cpu", dtype: "q8" } as const;
const asked = (placement: Placement, files = FILES): NewVersion => ({ files, placement });
const isSame = (one: NewVersion, other: NewVersion) => isSamePublication(newVersionOf(one, { model: "m", number: 1 }), other);

test("the same files in the same place are the same version, in whatever order they are listed", () => {
  expect(isSame(asked(PLACE), asked(PLACE, FILES.toReversed()))).toBe(true);
  expect(isSame(asked(PLACE), asked({ ...PLACE, fallbacks: [] }))).toBe(true);
  expect(isSame(asked({ ...PLACE, fallbacks: [Q8, { version: 1 }] }), asked({ ...PLACE, fallbacks: [{ ...Q8 }, { version: 1 }] }))).toBe(
    true,
  );
});

test.each<[string, Placement]>([
  ["another pool", { ...PLACE, pool: "cpu" }],
  ["another file", { ...PLACE, dtype: "fp16" }],
  ["no fallbacks", PLACE],
  ["one fallback less", { ...PLACE, fallbacks: [Q8] }],
  ["another order", { ...PLACE, fallbacks: [{ version: 1 }, Q8] }],
  ["a fallback elsewhere", { ...PLACE, fallbacks: [{ ...Q8, pool: "edge" }, { version: 1 }] }],
])("the same files with %s are another version", (_, placement) => {
  expect(isSame(asked({ ...PLACE, fallbacks: [Q8, { version: 1 }] }), asked(placement))).toBe(false);
});
