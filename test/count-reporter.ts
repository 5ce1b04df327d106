import type { Reporter, TestModule } from "vitest/node";

/** Prints `N passed, N failed` as the run's last line: the form that CI reads. A module that did not load counts as one failure. */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]) {
    const counts = { passed: 0, failed: errors.length };
    for (const module of modules) countModule(module, counts);
    process.on("exit", () => process.stdout.write(`\n${counts.passed} passed, ${counts.failed} failed\n`));
  }
}

function countModule(module: TestModule, counts: { passed: number; failed: number }) {
  for (const test of module.children.allTests()) {
    const { state } = test.result();
    if (state === "passed") counts.passed += 1;
    if (state === "failed") counts.failed += 1;
  }
  counts.failed += module.errors().length;
}
