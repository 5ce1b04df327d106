import { execFile, fork, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createAdminClient } from "../../shared/clients/admin.ts";
import { createHttp } from "../../shared/clients/http.ts";
import { createModelsClient } from "../../shared/clients/models.ts";
import { type PartName, startPlatform, type TestPlatform } from "../../test/harness/platform.ts";
import { Parts } from "./parts-file.ts";
import { identityOf } from "./process-identity.ts";

const PARTS: readonly PartName[] = [
  "dynamo",
  "s3",
  "inference",
  "intake",
  "sealer",
  "invoicing",
  "webhooks",
  "balances",
  "gateway",
  "caretaker",
];

/** Processes take their time on a busy machine. */
const WAIT = { timeout: 20_000 };
const START_TIMEOUT_MS = 120_000;

let parent: string;
let stateDir: string;
let platform: TestPlatform;
beforeAll(async () => {
  parent = mkdtempSync(join(tmpdir(), "weir-platform-"));
  stateDir = join(parent, ".weir");
  await beginFirstStart(stateDir, "minilm@1 is ready");
  platform = await startPlatform({ stateDir });
}, START_TIMEOUT_MS);
afterAll(async () => {
  await platform.remove();
  rmSync(parent, { recursive: true });
});

test("a first start that was killed in the middle is finished by the next", async () => {
  expect(JSON.parse(readFileSync(join(stateDir, "state.json"), "utf8"))).toMatchObject({ schema: 2, isSetUp: true });
  expect(await versionsOf("minilm")).toEqual(["2 ready 128", "1 ready 256"]);
  expect(await versionsOf("sentiment")).toEqual(["1 ready 64"]);
});

test("only the operator's key operates, and only the gateway's owner can read the keys", async () => {
  const demo = createAdminClient(createHttp({ url: platform.url, key: platform.demoKey }));

  await expect(demo.tenants.list({})).rejects.toMatchObject({ code: "forbidden" });

  const admin = createAdminClient(createHttp({ url: platform.url, key: platform.operatorKey }));
  expect((await admin.tenants.list({})).items.map(({ id }) => id).toSorted()).toEqual(["demo", "operators"]);
  for (const name of ["operator.json", "demo.json", "secrets.json", "state.json"])
    expect(statSync(join(stateDir, name)).mode & 0o777).toBe(0o600);
  expect(statSync(stateDir).mode & 0o777).toBe(0o700);
});

test("the printed curl lines answer as they are printed", async () => {
  const lines = platform
    .printed()
    .split("\n")
    .filter((line) => line.startsWith("curl "));

  const [chat = "", embedding = "", labels = "", ...others] = await Promise.all(lines.map(shell));

  expect(others).toEqual([]);
  expect(textOf(chat)).toMatch(/Paris/);
  expect(chat.trimEnd()).toMatch(/data: \[DONE\]$/);
  expect(JSON.parse(embedding).data[0].embedding).toHaveLength(384);
  expect(JSON.parse(labels)[0]).toEqual({ label: "weather", score: expect.any(Number) });
});

test.each(PARTS)("%s is started again after kill -9, which is said, and everybody finds it where it was", async (part) => {
  await platform.kill(part);

  expect(platform.printed()).toContain(`${part} was ended by SIGKILL; starting it again in 250 ms`);
  const answer = await fetch(`${platform.url}/health/ready`);
  expect([answer.status, await answer.json()]).toEqual([200, { ready: true }]);
  expect(await versionsOf("sentiment")).toEqual(["1 ready 64"]);
});

test(
  "kill -9 of the supervisor leaves no process, and the next start finds its data and its keys",
  async () => {
    const { demoKey, operatorKey } = platform;
    const before = pidsIn(stateDir);

    await platform.stop("SIGKILL");

    await expect.poll(() => before.filter(hasSurvivors), WAIT).toEqual([]);
    platform = await startPlatform({ stateDir });
    expect([platform.demoKey, platform.operatorKey]).toEqual([demoKey, operatorKey]);
    expect(await versionsOf("minilm")).toEqual(["2 ready 128", "1 ready 256"]);
    expect(platform.printed()).not.toContain("First start");
  },
  START_TIMEOUT_MS,
);

test("SIGTERM drains: it ends with 0, leaves no process, and gives the state back", async () => {
  const before = pidsIn(stateDir);

  const code = await platform.stop("SIGTERM");

  expect(code).toBe(0);
  expect(before).toHaveLength(PARTS.length);
  expect(before.filter(hasSurvivors)).toEqual([]);
  expect(["lock", "parts.json"].filter((name) => existsSync(join(stateDir, name)))).toEqual([]);
  expect(readdirSync(stateDir).filter((name) => name.endsWith(".tmp"))).toEqual([]);
});

test(
  "a second Ctrl-C does not wait for what is being drained",
  async () => {
    platform = await startPlatform({ stateDir });
    const before = pidsIn(stateDir);
    const stuck = await beginRequest(platform);
    const ended = platform.stop("SIGINT");
    await expect.poll(() => platform.printed(), WAIT).toContain("Stopping");

    // The first ones may be echoes of the first Ctrl-C, as npm makes them.
    await expect
      .poll(() => identityOf(platform.pid) !== undefined && process.kill(platform.pid, "SIGINT"), { ...WAIT, interval: 100 })
      .toBe(false);

    expect(await ended).toBe(130);
    stuck.destroy();
    await expect.poll(() => before.filter(hasSurvivors), WAIT).toEqual([]);
  },
  START_TIMEOUT_MS,
);

/** A request whose body never ends, once the gateway has begun to serve it. */
async function beginRequest({ url, demoKey }: TestPlatform): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1").on("error", () => undefined);
  const headers = [
    "Host: weir",
    `Authorization: Bearer ${demoKey}`,
    "Content-Type: application/json",
    "Content-Length: 9",
    "Expect: 100-continue",
  ];
  socket.write(`POST /v1/embeddings HTTP/1.1\r\n${headers.join("\r\n")}\r\n\r\n`);
  await once(socket, "data");
  return socket;
}

/** Starts on a new state, and kills it when it has said a certain thing. */
async function beginFirstStart(dir: string, words: string) {
  const main = fileURLToPath(new URL("./main.ts", import.meta.url));
  const child = fork(main, [], { env: { WEIR_STATE_DIR: dir, WEIR_PORT: "0" }, execArgv: [], stdio: ["ignore", "ignore", "pipe", "ipc"] });
  if (child.stderr === null) throw new Error("it has a pipe");
  for await (const line of createInterface({ input: child.stderr })) if (line.includes(words)) break;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

async function shell(line: string) {
  const { stdout } = await promisify(execFile)("sh", ["-c", line]);
  return stdout;
}

/** The pieces of a streamed answer, put together. */
function textOf(events: string): string {
  const data = events.split("\n").flatMap((line) => (line.startsWith("data: {") ? [line.slice("data: ".length)] : []));
  return data.map((json) => JSON.parse(json).choices[0]?.delta.content ?? "").join("");
}

async function versionsOf(model: string): Promise<string[]> {
  const { items } = await createModelsClient(createHttp({ url: platform.url, key: platform.operatorKey })).versions(model, {});
  return items.map((version) => `${version.number} ${version.state} ${version.state === "ready" ? version.facts.tokensMax : ""}`);
}

function pidsIn(dir: string): number[] {
  return Object.values(Parts.parse(JSON.parse(readFileSync(join(dir, "parts.json"), "utf8")))).map(({ pid }) => pid);
}

/** Whether anything runs of the process group that a part led: itself, or what it had started. */
function hasSurvivors(group: number): boolean {
  const { stdout } = spawnSync("ps", ["-eo", "pgid=,stat="], { encoding: "utf8" });
  // A zombie has ended; whoever inherited it has only not noticed yet.
  return stdout.split("\n").some((line) => new RegExp(`^\\s*${group}\\s+[^Z]`).test(line));
}
