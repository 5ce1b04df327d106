import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { systemClock } from "../../shared/base/clock.ts";
import { createPart, type Part, type PartWatch, RESTART_DELAY_MS_MAX, RESTART_DELAY_MS_MIN, restartDelayMs } from "./part.ts";
import { READY_TIMEOUT_MS } from "./part-process.ts";
import { identityOf } from "./process-identity.ts";

const TOY = new URL("../../test/harness/toy-part.ts", import.meta.url);

type Seen = {
  runs: { pid: number; port: number }[];
  said: string[];
  waitedMs: number[];
  next: () => Promise<{ pid: number; port: number }>;
};

const parts: Part[] = [];
afterEach(() => {
  for (const part of parts.splice(0)) part.kill();
});

test("a part that is killed is started again on its port, each crash in a row waiting twice as long", async () => {
  const { part, seen } = toy("plain");
  const port = await part.start();

  for (let crash = 0; crash < 3; crash += 1) process.kill((await seen.next()).pid, "SIGKILL");
  const last = await seen.next();

  expect(last.port).toBe(port);
  expect(new Set(seen.runs.map((run) => run.pid)).size).toBe(4);
  expect(seen.waitedMs).toEqual([250, 500, 1_000]);
  expect(seen.said.filter((line) => line.startsWith("toy "))).toEqual([
    "toy was ended by SIGKILL; starting it again in 250 ms",
    "toy was ended by SIGKILL; starting it again in 500 ms",
    "toy was ended by SIGKILL; starting it again in 1000 ms",
  ]);
});

test("a part that had run for long is started again as after a first crash", async () => {
  let nowMs = 0;
  const { part, seen } = toy("plain", { nowMs: () => nowMs });
  await part.start();

  process.kill((await seen.next()).pid, "SIGKILL");
  const second = await seen.next();
  nowMs += 60_000;
  process.kill(second.pid, "SIGKILL");
  await seen.next();

  expect(seen.waitedMs).toEqual([RESTART_DELAY_MS_MIN, RESTART_DELAY_MS_MIN]);
});

test("the wait before a restart has a limit", () => {
  expect([1, 2, 3, 7, 50, 5_000].map(restartDelayMs)).toEqual([
    250,
    500,
    1_000,
    RESTART_DELAY_MS_MAX,
    RESTART_DELAY_MS_MAX,
    RESTART_DELAY_MS_MAX,
  ]);
});

test("a part that cannot start the first time is refused with its own reason", async () => {
  await expect(toy("refuse").part.start()).rejects.toThrow("toy could not be started: it has no legs to stand on");
  await expect(toy("die").part.start()).rejects.toThrow("toy could not be started: it ended with code 7");
});

test("a part that stays silent is ended, and it is said why", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  const started = expect(toy("silent").part.start()).rejects.toThrow(
    "toy could not be started: it was ended, for it did not listen within 120 s",
  );

  await vi.advanceTimersByTimeAsync(READY_TIMEOUT_MS);
  vi.useRealTimers();

  await started;
});

test("a stopped part is not started again, and is asked before it is killed", async () => {
  const { part, seen } = toy("plain");
  await part.start();
  const { pid } = await seen.next();

  await part.stop();

  expect(identityOf(pid)).toBeUndefined();
  expect(seen.runs).toHaveLength(1);
  expect(seen.said.filter((line) => line.startsWith("toy "))).toEqual([]);
});

test("what a part started ends with it, even if it hears nothing", async () => {
  const { part, seen } = toy("parent");
  await part.start();
  await expect.poll(() => seen.said, { timeout: 10_000 }).toContainEqual(expect.stringMatching(/^\[toy\] child \d+$/));
  const grandchild = Number(seen.said.find((line) => line.startsWith("[toy] child"))?.split(" ")[2]);
  expect(identityOf(grandchild)).toBeDefined();

  process.kill((await seen.next()).pid, "SIGKILL");
  await seen.next();

  await expect.poll(() => identityOf(grandchild), { timeout: 10_000 }).toBeUndefined();
});

function toy(behaviour: string, clock = systemClock): { part: Part; seen: Seen } {
  const seen = createSeen();
  const watch: PartWatch = {
    say: (line) => seen.said.push(line),
    changed: (_, { pid, port }) => pid !== undefined && port !== undefined && seen.runs.push({ pid, port }),
    clock,
    wait: async (ms) => void seen.waitedMs.push(ms),
  };
  const program = (port: number) => ({ name: "toy", entry: TOY, environment: { PORT: `${port}`, BEHAVIOUR: behaviour } });
  const part = createPart({ name: "toy", program }, watch);
  parts.push(part);
  return { part, seen };
}

function createSeen(): Seen {
  let asked = 0;
  const runs: Seen["runs"] = [];
  const next = async () => {
    asked += 1;
    await expect.poll(() => runs.length, { timeout: 10_000 }).toBeGreaterThanOrEqual(asked);
    const run = runs[asked - 1];
    if (run === undefined) throw new Error("no such run");
    return run;
  };
  return { runs, said: [], waitedMs: [], next };
}
