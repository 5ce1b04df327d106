import { spawn } from "node:child_process";
import { once } from "node:events";
import { globSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Counts, earlierCounts, sumOf } from "../clients/counts.ts";
import { hasJavaAndMaven, startEngine } from "./engine.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const NAMED = "WEIR_TEST_DYNAMO_ENDPOINT";

/**
 * The tests of the store adapters on another DynamoDB engine than the embedded one: DynamoDB Local, which is fetched with Maven, or whatever the
 * environment names. The last line is `N passed, N failed`, with the tests before, whose counts it adds to for whoever comes after.
 */
async function main() {
  const counted = process.env["WEIR_COUNTS"];
  const earlier = await earlierCounts(counted);
  const stores = await checkStores().catch((cause) => {
    console.error(cause);
    return { passed: 0, failed: 1 };
  });
  const counts = sumOf([earlier, stores]);
  if (counted !== undefined) await writeFile(counted, JSON.stringify(counts));
  if (stores.failed > 0) process.exitCode = 1;
  console.log(`\n${counts.passed} passed, ${counts.failed} failed`);
}

async function checkStores(): Promise<Counts> {
  const named = process.env[NAMED];
  if (named !== undefined) return runTests(named);
  if (!(await hasJavaAndMaven())) {
    console.log(
      `The stores were tested on the embedded engine alone: DynamoDB Local needs Java 17 and Maven. ${NAMED} may name another engine.`,
    );
    return { passed: 0, failed: 0 };
  }
  const engine = await startEngine();
  try {
    return await runTests(engine.endpoint);
  } finally {
    await engine.stop();
  }
}

/** One file after the other, for they share the engine's tables. */
async function runTests(endpoint: string): Promise<Counts> {
  const folder = await mkdtemp(join(tmpdir(), "weir-stores-"));
  const counted = join(folder, "counts.json");
  const vitest = join(ROOT, "node_modules/vitest/vitest.mjs");
  const child = spawn(process.execPath, [vitest, "run", "--no-file-parallelism", ...storeTests()], {
    cwd: ROOT,
    stdio: "inherit",
    env: { ...process.env, [NAMED]: endpoint, WEIR_COUNTS: counted },
  });
  await once(child, "close");
  const counts = await earlierCounts(counted);
  await rm(folder, { recursive: true });
  return counts.passed + counts.failed === 0 ? { passed: 0, failed: 1 } : counts;
}

/** Every test of the domain, and every contract, that starts an engine. */
function storeTests(): string[] {
  const files = globSync(["shared/**/*.test.ts", "test/contracts/*.test.ts"], { cwd: ROOT });
  return files.filter((file) => readFileSync(join(ROOT, file), "utf8").includes("startDynamo(")).sort();
}

await main();
