import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Reporter, TestModule } from "vitest/node";

/**
 * Prints `N passed, N failed` as the run's last line: the form that CI reads. A module that did not load counts as one failure. Where
 * WEIR_COUNTS names a file, the counts are left there too, for the clients' run to add its own.
 */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]) {
    const counts = { passed: 0, failed: errors.length };
    for (const module of modules) countModule(module, counts);
    leaveCounts(process.env["WEIR_COUNTS"], counts);
    process.on("exit", () => process.stdout.write(`\n${counts.passed} passed, ${counts.failed} failed\n`));
  }
}

function leaveCounts(file: string | undefined, counts: { passed: number; failed: number }) {
  if (file === undefined) return;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, JSON.stringify(counts));
}

function countModule(module: TestModule, counts: { passed: number; failed: number }) {
  for (const test of module.children.allTests()) {
    const { state } = test.result();
    if (state === "passed") counts.passed += 1;
    if (state === "failed") counts.failed += 1;
  }
  counts.failed += module.errors().length;
}
