import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { identityOf } from "./process-identity.ts";
import { STATE_SCHEMA } from "./state.ts";

let parent: string;
let dir: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "weir-main-"));
  dir = join(parent, ".weir");
});
afterEach(() => rmSync(parent, { recursive: true }));

test("a port in use is said in one line, and nothing is left running", async () => {
  const squatter = createServer().listen(0, "127.0.0.1");
  await once(squatter, "listening");
  const { port } = squatter.address() as { port: number }; // it listens on TCP

  const { code, said } = await start({ WEIR_PORT: `${port}` });

  squatter.close();
  expect(code).toBe(1);
  expect(said).toBe(
    `weir: cannot listen on 127.0.0.1:${port}: the port is in use. Stop what uses it, or choose another: WEIR_PORT=${port + 1} npm start (0 is any free one)\n`,
  );
  expect(readdirSync(dir)).toEqual(["state.json"]);
});

test("what is left of a run that was killed is waited for before its port is asked for", async () => {
  const left = spawn(process.execPath, ["-e", LISTENS_FOR_A_MOMENT], { stdio: ["ignore", "pipe", "ignore"], detached: true });
  const [port] = await once(left.stdout.setEncoding("utf8"), "data");
  mkdirSync(dir, { mode: 0o700 });
  const gateway = { pid: left.pid, identity: identityOf(left.pid ?? 0) };
  writeFileSync(join(dir, "parts.json"), JSON.stringify({ gateway }), { mode: 0o600 });
  writeFileSync(join(dir, "state.json"), JSON.stringify({ schema: STATE_SCHEMA, createdAt: "2026-11-01T00:00:00.000Z", isSetUp: true }), {
    mode: 0o600,
  });
  writeFileSync(join(dir, "secrets.json"), "{", { mode: 0o600 }); // where this start ends, once it comes to it

  const { code, said } = await start({ WEIR_PORT: port });

  expect(code).toBe(1);
  expect(said).toMatch(/^Waiting for what is left of the last run to end\.\nweir: .*secrets\.json is damaged/);
});

const LISTENS_FOR_A_MOMENT = `
  const server = require("node:net").createServer().listen(0, "127.0.0.1", () => process.stdout.write(String(server.address().port)));
  setTimeout(() => process.exit(), 2_000);`;

test.each([
  ["a corrupt state file", () => corrupt(), /^weir: .*state\.json is damaged: [^\n]*\n$/],
  [
    "a read-only state folder",
    () => ({ WEIR_STATE_DIR: "/sys/weir" }),
    /^weir: the state folder \/sys\/weir (may not|lies on a read-only)[^\n]*\n$/,
  ],
  ["a port that is none", () => ({ WEIR_PORT: "http" }), /^weir: WEIR_PORT: [^\n]*\n$/],
  ["an address of another machine", () => ({ WEIR_HOST: "192.0.2.1" }), /^weir: cannot listen on 192\.0\.2\.1:0: [^\n]*\n$/],
])("%s is said in one line with exit code 1", async (_, arrange, line) => {
  const { code, said } = await start(arrange());

  expect(code).toBe(1);
  expect(said).toMatch(line);
});

function corrupt() {
  mkdirSync(dir);
  writeFileSync(join(dir, "state.json"), '{"schema":');
  return {};
}

async function start(environment: Record<string, string>): Promise<{ code: number; said: string }> {
  const env = { WEIR_STATE_DIR: dir, WEIR_PORT: "0", ...environment };
  const child = fork(fileURLToPath(new URL("./main.ts", import.meta.url)), [], {
    env,
    execArgv: [],
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  const ended = once(child, "exit");
  const [said, printed] = await Promise.all([child.stderr, child.stdout].map((output) => (output === null ? "" : text(output))));
  expect(printed).toBe("");
  const [code] = await ended;
  return { code, said: said ?? "" };
}
