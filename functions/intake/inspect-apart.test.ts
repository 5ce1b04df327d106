import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { inspectApart } from "./inspect-apart.ts";

const FIXTURES = join(import.meta.dirname, "../../test/fixtures");
const LIMITS = { timeoutMs: 20_000, memoryMib: 1_024 };
const { signal } = new AbortController();
const model = (folder: string) => ({ folder: join(FIXTURES, folder), dtype: "fp32" as const });

test("a model that loads and answers tells what it is", async () => {
  const facts = await inspectApart(LIMITS, model("models/tiny-bert-embed"), signal);

  expect(facts).toMatchObject({ head: "embed", family: "bert", dtypes: ["fp32", "q8"] });
  expect(facts.drift).toEqual([{ dtype: "q8", deltaMax: expect.any(Number), cosineMin: expect.any(Number) }]);
  expect(facts.drift?.[0]?.cosineMin).toBeGreaterThan(0.9);
});

test("a model that needs more memory than it may is stopped and refused with the limit", async () => {
  const golden = inspectApart({ ...LIMITS, memoryMib: 40 }, model("models/tiny-bert-embed"), signal);

  await expect(golden).rejects.toMatchObject({ code: "invalid_request", message: expect.stringContaining("more than 40 MiB of memory") });
});

test("a model that never ends is stopped when its time is over", async () => {
  const golden = inspectApart({ ...LIMITS, timeoutMs: 1_000 }, model("bad-models/bomb-time"), signal);

  await expect(golden).rejects.toMatchObject({ code: "invalid_request", message: expect.stringContaining("within 1 s") });
});

test("a check that is called off is no verdict on the model", async () => {
  const golden = inspectApart(LIMITS, model("bad-models/bomb-time"), AbortSignal.timeout(300));

  await expect(golden).rejects.toMatchObject({ name: "TimeoutError" });
});

test("a model that never ends does not outlive a process that is killed", async () => {
  const order = JSON.stringify({ ...model("bad-models/bomb-time"), limits: LIMITS });
  const main = join(import.meta.dirname, "main.golden.ts");
  const script = `const { fork } = require("node:child_process");
    console.log(fork(${JSON.stringify(main)}, [${JSON.stringify(order)}]).pid);`;
  const parent = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "ignore"] });
  const golden = Number(await text(Readable.from(await once(parent.stdout, "data"))));
  expect(isAlive(golden)).toBe(true);

  parent.kill("SIGKILL");

  await expect.poll(() => isAlive(golden), { timeout: 10_000 }).toBe(false);
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
