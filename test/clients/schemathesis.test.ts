import { expect, test } from "vitest";
import { countOperations } from "./schemathesis.ts";

const GOOD = { complete: true, operations: { selected: 3, tested: 3, errored: 0 }, failures: [], errors: [] };

test("an operation counts once, however often it failed", () => {
  const failures = [{ operations: ["GET /a", "GET /b"] }, { operations: ["GET /a"] }];

  expect(countOperations({ ...GOOD, failures }, 1)).toEqual({ passed: 1, failed: 2 });
  expect(countOperations(GOOD, 0)).toEqual({ passed: 3, failed: 0 });
});

test.each([
  ["was cut short", { ...GOOD, complete: false }, 0],
  ["left operations out", { ...GOOD, operations: { selected: 3, tested: 2, errored: 0 } }, 0],
  ["asked nothing", { ...GOOD, operations: { selected: 0, tested: 0, errored: 0 } }, 0],
  ["had errors of its own", { ...GOOD, errors: ["the schema could not be loaded"] }, 0],
  ["ended with a code that says so", GOOD, 1],
  ["was ended by a signal", GOOD, null],
])("a run that %s has failed", (_, report, exitCode) => {
  expect(countOperations(report, exitCode).failed).toBe(1);
});
