import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Agent } from "undici";
import { afterAll, beforeAll, expect, test } from "vitest";
import { weir } from "../harness/cli.ts";
import { startPlatform, type TestPlatform } from "../harness/platform.ts";

const UNITS = 10_000;
const STICKY_UNITS = 2_000;
const CONNECTIONS = 32;
/** A split is in force everywhere within this time. */
const IN_FORCE_MS = 5_000;
const FIXTURE = fileURLToPath(new URL("../fixtures/models/tiny-bert-embed", import.meta.url));

const agent = new Agent({ connections: CONNECTIONS });
let platform: TestPlatform;
let folder: string;

beforeAll(async () => {
  platform = await startPlatform();
  folder = await mkdtemp(join(tmpdir(), "weir-split-"));
  await weir(platform, "tenants", "create", "busy", "--rate", "50000", "--burst", "50000");
});
afterAll(async () => {
  await agent.close();
  await platform.remove();
  await rm(folder, { recursive: true, force: true });
});

test("two published versions split 90/10: 10,000 units land within a percentage point and stick; 80/20 moves only units that must move", async () => {
  const key = keyIn(await weir(platform, "keys", "create", "--tenant", "busy", "--name", "journey", "--json"));
  await publishTwice();
  await setSplit("1=90%", "2=10%");

  const first = await versionsOfUnits(key, UNITS);
  const again = await versionsOfUnits(key, STICKY_UNITS);
  await setSplit("1=80%", "2=20%");
  const later = await versionsOfUnits(key, UNITS);

  expect(Math.abs(shareOf(first, 2) - 0.1)).toBeLessThan(0.01);
  expect(again).toEqual(first.slice(0, STICKY_UNITS));
  expect(Math.abs(shareOf(later, 2) - 0.2)).toBeLessThan(0.01);
  expect(first.filter((version, unit) => version === 2 && later[unit] !== 2)).toEqual([]);
}, 300_000);

/** The same weights twice, reading texts of different lengths at most: two contents, so two versions. */
async function publishTwice() {
  await cp(FIXTURE, folder, { recursive: true });
  await weir(platform, "models", "publish", folder, "--name", "tiny");
  const settings = join(folder, "sentence_bert_config.json");
  await writeFile(settings, JSON.stringify({ ...JSON.parse(await readFile(settings, "utf8")), max_seq_length: 16 }));
  await weir(platform, "models", "publish", folder, "--name", "tiny");
}

async function setSplit(...shares: string[]) {
  await weir(platform, "split", "set", "tiny", ...shares);
  await new Promise((resolve) => setTimeout(resolve, IN_FORCE_MS)); // the promise itself is what is waited for
}

/** The version that answers each unit, by the answer's own header. */
async function versionsOfUnits(key: string, count: number): Promise<number[]> {
  const versions: number[] = new Array(count);
  let next = 0;
  const drive = async () => {
    for (let unit = next++; unit < count; unit = next++) versions[unit] = await versionFor(`unit-${unit}`, key);
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, drive));
  return versions;
}

async function versionFor(unit: string, key: string): Promise<number> {
  const answer = await agent.request({
    origin: platform.url,
    path: "/v1/embeddings",
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "weir-unit": unit },
    body: JSON.stringify({ model: "tiny", input: "a" }),
  });
  const text = await answer.body.text();
  if (answer.statusCode !== 200) throw new Error(`${answer.statusCode} ${text}`);
  return Number(String(answer.headers["weir-model"]).split("@")[1]);
}

function shareOf(versions: readonly number[], version: number): number {
  return versions.filter((each) => each === version).length / versions.length;
}

function keyIn(json: string): string {
  const { key } = JSON.parse(json) as { key?: unknown }; // `weir keys create --json`
  if (typeof key !== "string") throw new Error(`no key in ${json}`);
  return key;
}
