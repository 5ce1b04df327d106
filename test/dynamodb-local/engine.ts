import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFile, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { run } from "../clients/run.ts";
import { freePort, isOpen } from "../harness/ports.ts";

/** npm's own place for caches: ignored by git, and gone with `npm ci`. */
const CACHE = fileURLToPath(new URL("../../node_modules/.cache/dynamodb-local", import.meta.url));
const POM = fileURLToPath(new URL("./pom.xml", import.meta.url));
const MAIN_CLASS = "software.amazon.dynamodb.services.local.main.ServerRunner";
const PROBE_TIMEOUT_MS = 30_000;
const FETCH_TIMEOUT_MS = 600_000;
const START_TIMEOUT_MS = 60_000;
const POLL_MS = 100;

/** Whether this machine has what fetches and runs the engine: Java 17 or newer, and Maven. */
export async function hasJavaAndMaven(): Promise<boolean> {
  const java = await probe("java", ["-version"]);
  const major = Number(/version "(\d+)/.exec(java ?? "")?.[1] ?? 0);
  return major >= 17 && (await probe("mvn", ["--version"])) !== undefined;
}

async function probe(command: string, args: readonly string[]): Promise<string | undefined> {
  const ran = await run({ command, args, environment: homeOf(), timeoutMs: PROBE_TIMEOUT_MS }).catch(() => undefined); // it is not there
  return ran?.exitCode === 0 ? ran.output : undefined;
}

export type Engine = { readonly endpoint: string; readonly stop: () => Promise<void> };

/** DynamoDB Local, in memory, on a free port; fetched by Maven when it is not in the cache. It ends with this process's `stop`. */
export async function startEngine(): Promise<Engine> {
  const libraries = await fetchLibraries();
  const port = await freePort();
  const args = [`-Djava.library.path=${libraries}`, "-cp", [join(libraries, "*")].join(delimiter), MAIN_CLASS];
  const server = spawn("java", [...args, "-inMemory", "-sharedDb", "-disableTelemetry", "-port", `${port}`], { stdio: "ignore" });
  const ended = once(server, "exit");
  const deadlineMs = performance.now() + START_TIMEOUT_MS;
  while (!(await isOpen(port))) {
    if (server.exitCode !== null || performance.now() > deadlineMs) throw new Error("DynamoDB Local did not start");
    await sleep(POLL_MS);
  }
  return {
    endpoint: `http://127.0.0.1:${port}`,
    async stop() {
      server.kill("SIGKILL");
      await ended;
    },
  };
}

/** The folder of the jar, its libraries and its native ones, in the pinned version. */
async function fetchLibraries(): Promise<string> {
  const digest = createHash("sha256")
    .update(await readFile(POM))
    .digest("hex");
  const [folder, marker] = [join(CACHE, "lib"), join(CACHE, "fetched")];
  if ((await readFile(marker, "utf8").catch(() => "")) === digest) return folder;
  await rm(CACHE, { recursive: true, force: true });
  console.log("fetching DynamoDB Local, which is under a licence of its vendor's own");
  const args = ["-q", "-B", "-f", POM, "dependency:copy-dependencies", `-DoutputDirectory=${folder}`];
  const { exitCode } = await run({ command: "mvn", args, environment: homeOf(), timeoutMs: FETCH_TIMEOUT_MS });
  if (exitCode !== 0) throw new Error(`mvn ${args.join(" ")} ended with ${exitCode}`);
  // Written last: what was cut off is not taken for whole.
  await writeFile(marker, digest);
  return folder;
}

/** Where Maven's settings, repository and Java are is this machine's business. */
function homeOf(): Record<string, string> {
  const names = Object.keys(process.env).filter((name) =>
    /^(JAVA_HOME|JAVA_TOOL_OPTIONS|MAVEN_\w+|M2_HOME|(https?|no|all)_proxy)$/i.test(name),
  );
  return { HOME: homedir(), ...Object.fromEntries(names.map((name) => [name, process.env[name] ?? ""])) };
}
