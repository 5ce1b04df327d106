import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { globSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Counts, earlierCounts, sumOf } from "../clients/counts.ts";
import { hasPython, makeEnvironment } from "../clients/environment.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const NAMED = "WEIR_TEST_DYNAMO_ENDPOINT";

/**
 * The tests of the store adapters on another DynamoDB engine than the embedded one: moto, in a virtual environment that this makes, or whatever
 * engine the environment names. The last line is `N passed, N failed`, with the tests before, whose counts it adds to for whoever comes after.
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
  if (!(await hasPython())) {
    console.log(
      `The stores were tested on the embedded engine alone: moto needs python3, 3.10 or newer, with venv. ${NAMED} may name another.`,
    );
    return { passed: 0, failed: 0 };
  }
  const programs = await makeEnvironment({ name: "weir-stores", requirements: new URL("./requirements.txt", import.meta.url) });
  const server = spawn(join(programs, "python"), [fileURLToPath(new URL("./serve_moto.py", import.meta.url))], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  try {
    return await runTests(`http://127.0.0.1:${await portOf(server)}`);
  } finally {
    server.kill("SIGKILL");
  }
}

async function portOf(server: ChildProcess): Promise<number> {
  if (server.stdout === null) throw new Error("moto's output is a pipe");
  const ended = once(server, "exit").then(() => Promise.reject(new Error("moto ended before it listened")));
  const [said] = await Promise.race([once(server.stdout, "data"), ended]);
  return Number.parseInt(String(said), 10);
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

/** A function of the harness: `startDynamo`, `startValvedDynamo`. */
const STARTS_ENGINE = /\bstart\w*Dynamo\(/;

/** Every test of the domain, and every contract, that starts an engine. */
function storeTests(): string[] {
  const files = globSync(["shared/**/*.test.ts", "test/contracts/*.test.ts"], { cwd: ROOT });
  return files.filter((file) => readFileSync(join(ROOT, file), "utf8").match(STARTS_ENGINE)).sort();
}

await main();
