import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { identityOf } from "./process-identity.ts";
import { openSecrets } from "./secrets.ts";
import { FREE_BYTES_MIN, openState, STATE_SCHEMA, type StateFolder } from "./state.ts";

const NOW_MS = Date.parse("2026-11-23T19:25:00Z");
/** No process has this pid: it is above the largest that Linux gives. */
const DEAD_PID = 4_194_305;

let parent: string;
let dir: string;
const opened: StateFolder[] = [];
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "weir-state-"));
  dir = join(parent, ".weir");
});
afterEach(() => {
  for (const folder of opened.splice(0)) folder.release();
  rmSync(parent, { recursive: true });
});

test("a first start makes a folder for its owner's eyes only, and the second finds what it wrote", () => {
  const first = open();
  const secrets = openSecrets(first);
  first.markSetUp();
  first.release();

  const second = open();

  expect(second.state).toEqual({ schema: STATE_SCHEMA, createdAt: "2026-11-23T19:25:00.000Z", isSetUp: true });
  expect(openSecrets(second)).toEqual(secrets);
  expect(modeOf(dir)).toBe(0o700);
  expect(["state.json", "secrets.json", "lock"].map((name) => modeOf(join(dir, name)))).toEqual([0o600, 0o600, 0o600]);
});

test.each([
  ["half a file", '{"schema":2,"crea', "is damaged"],
  ["an empty file", "", "is damaged"],
  ["no schema", '{"isSetUp":true}', "is damaged"],
  ["fields of the wrong type", '{"schema":2,"createdAt":"2026-11-23T19:25:00.000Z","isSetUp":"yes"}', "is damaged"],
  ["a newer schema", '{"schema":3,"anything":1}', "was written by a newer Weir (schema 3, this one reads 2)"],
  ["an older schema", '{"schema":1}', "was written by an older Weir (schema 1, this one reads 2)"],
])("a state file with %s is refused and left as it is", (_, text, words) => {
  mkdirSync(dir);
  writeFileSync(join(dir, "state.json"), text);

  expect(() => open()).toThrow(words);

  expect(readdirSync(dir)).toEqual(["state.json"]);
  expect(readFileSync(join(dir, "state.json"), "utf8")).toBe(text);
});

test("a folder of somebody else's files is neither filled nor closed", () => {
  mkdirSync(dir, { mode: 0o755 });
  writeFileSync(join(dir, "thesis.txt"), "chapter 1");

  expect(() => open()).toThrow("is not a state of Weir");

  expect(readdirSync(dir)).toEqual(["thesis.txt"]);
  expect(modeOf(dir)).toBe(0o755);
});

test("a second start on a state in use is refused", () => {
  mkdirSync(dir);
  const holder = JSON.stringify({ pid: process.ppid, identity: identityOf(process.ppid) });
  writeFileSync(join(dir, "lock"), holder);

  expect(() => open()).toThrow(`another Weir (pid ${process.ppid}) is using this state`);

  expect(readFileSync(join(dir, "lock"), "utf8")).toBe(holder);
});

test.each([
  ["a process that is gone", JSON.stringify({ pid: DEAD_PID, identity: `${DEAD_PID}@1` })],
  ["a process whose pid somebody else has now", JSON.stringify({ pid: process.ppid, identity: `${process.ppid}@1` })],
  ["nobody, being damaged", '{"pi'],
])("a lock of %s is taken over", (_, text) => {
  mkdirSync(dir);
  writeFileSync(join(dir, "lock"), text);

  open();

  expect(JSON.parse(readFileSync(join(dir, "lock"), "utf8"))).toMatchObject({ pid: process.pid });
});

test("a folder that is full, read-only or no folder is refused in words", () => {
  expect(() => openState(dir, NOW_MS, () => FREE_BYTES_MIN - 1)).toThrow(/the disk of .* is full: 511 MiB are left/);
  expect(() => openState("/sys/weir", NOW_MS)).toThrow(/may not be written by you|read-only/);
  writeFileSync(join(parent, "file"), "");
  expect(() => openState(join(parent, "file", ".weir"), NOW_MS)).toThrow("is not a folder");
  expect(readdirSync(dir)).toEqual([]);
});

test("a disk that fills up while the state is written is refused in words", () => {
  const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });

  const start = () =>
    openState(dir, NOW_MS, () => {
      throw full;
    });

  expect(start).toThrow(/the state folder .* lies on a full disk/);
});

test("secrets that are gone are not made anew under keys that need them", () => {
  const first = open();
  openSecrets(first);
  first.markSetUp();
  first.release();
  rmSync(join(dir, "secrets.json"));

  const second = open();

  expect(() => openSecrets(second)).toThrow("secrets.json is missing, and no key works without it");
});

function open(): StateFolder {
  const folder = openState(dir, NOW_MS);
  opened.push(folder);
  return folder;
}

function modeOf(path: string): number {
  return statSync(path).mode & 0o777;
}
