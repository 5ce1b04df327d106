import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { countLines, earlierCounts, sumOf } from "./counts.ts";

test.each([
  ["every check held", "ok a\nsomething else\nok b\n", 0, { passed: 2, failed: 0 }],
  ["a check failed and said so", "ok a\nfailed b Traceback\n", 1, { passed: 1, failed: 1 }],
  ["it ended in the middle", "ok a\nTraceback\n", 1, { passed: 1, failed: 1 }],
  ["it was ended by a signal", "ok a\n", null, { passed: 1, failed: 1 }],
  ["it checked nothing", "", 0, { passed: 0, failed: 1 }],
])("of a script is known whether %s", (_, output, exitCode, counts) => {
  expect(countLines(output, exitCode)).toEqual(counts);
});

test("the tests that ran before are counted too, and may not be missing where they were promised", async () => {
  const folder = await mkdtemp(join(tmpdir(), "weir-counts-"));
  const file = join(folder, "counts.json");

  await expect(earlierCounts(file)).rejects.toThrow(/ENOENT/);
  await writeFile(file, JSON.stringify({ passed: 7, failed: 1 }));

  expect(await earlierCounts(undefined)).toEqual({ passed: 0, failed: 0 });
  expect(sumOf([await earlierCounts(file), { passed: 2, failed: 0 }])).toEqual({ passed: 9, failed: 1 });
  await rm(folder, { recursive: true });
});
