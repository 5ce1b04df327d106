import { setTimeout as sleep } from "node:timers/promises";
import { Agent } from "undici";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readLedgerRows } from "../harness/ledger-rows.ts";
import { type PartName, startPlatform, type TestPlatform } from "../harness/platform.ts";

const CONNECTIONS = 16;
const LOAD_MS = 6_000;
const KILL_AFTER_MS = 1_500;

let platform: TestPlatform;

beforeAll(async () => {
  platform = await startPlatform();
  await raiseLimit(platform);
  await isServing(); // the model is loaded before anything is timed
});
afterAll(() => platform.remove());

for (const part of ["gateway", "inference", "dynamo", "s3"] as const) {
  test(`kill -9 of ${part} under load: every answered request has exactly one row, unanswered ones at most those in flight`, async () => {
    const startedAtMs = Date.now();

    const { answered, sent } = await loadAndKill(part);

    const rows = (await readLedgerRows(platform.stateDir, startedAtMs)).filter((row) => Number(numberIn(row.item, "a")) >= startedAtMs);
    const billed = rows.filter((row) => !row.isVoided).map((row) => row.requestId);
    const unanswered = billed.filter((id) => !answered.has(id));
    console.log(`${part}: sent ${sent}, answered ${answered.size}, billed ${billed.length}, billed without an answer ${unanswered.length}`);
    expect(new Set(billed).size).toBe(billed.length);
    expect([...answered].filter((id) => !billed.includes(id))).toEqual([]);
    expect(unanswered.length).toBeLessThanOrEqual(CONNECTIONS);
    expect(answered.size).toBeGreaterThan(CONNECTIONS);
    expect(await isServing()).toBe(true);
  }, 120_000);
}

async function loadAndKill(part: PartName) {
  const answered = new Set<string>();
  const counts = { sent: 0 };
  const agent = new Agent({ connections: CONNECTIONS });
  const endAt = Date.now() + LOAD_MS;
  const drive = async () => {
    while (Date.now() < endAt) {
      counts.sent += 1;
      const requestId = await ask(agent).catch(() => sleep(20));
      if (typeof requestId === "string") answered.add(requestId);
    }
  };
  const load = Promise.all(Array.from({ length: CONNECTIONS }, drive));
  await sleep(KILL_AFTER_MS); // the kill has to fall into the middle of real load
  await platform.kill(part);
  await load;
  await agent.close();
  return { answered, sent: counts.sent };
}

/** The request's id if its whole answer came, undefined for any refusal. */
async function ask(dispatcher: Agent): Promise<string | undefined> {
  const answer = await dispatcher.request({
    origin: platform.url,
    path: "/hf/sentiment",
    method: "POST",
    headers: { authorization: `Bearer ${platform.demoKey}`, "content-type": "application/json" },
    body: JSON.stringify({ inputs: "the river rises" }),
    headersTimeout: 20_000,
    bodyTimeout: 20_000,
  });
  await answer.body.text();
  const id = answer.headers["weir-request-id"];
  return answer.statusCode === 200 && typeof id === "string" ? id : undefined;
}

async function isServing(): Promise<boolean> {
  const agent = new Agent();
  for (let attempt = 0; attempt < 100; attempt += 1) {
    if ((await ask(agent).catch(() => undefined)) !== undefined) {
      await agent.close();
      return true;
    }
    await sleep(100);
  }
  return false;
}

async function raiseLimit({ url, operatorKey }: TestPlatform) {
  const answer = await fetch(`${url}/admin/tenants/demo`, {
    method: "PATCH",
    headers: { authorization: `Bearer ${operatorKey}`, "content-type": "application/json" },
    body: JSON.stringify({ rate: { requestsPerSecond: 20_000, burst: 20_000 } }),
  });
  if (!answer.ok) throw new Error(await answer.text());
}

function numberIn(item: Readonly<Record<string, unknown>>, name: string): unknown {
  const value = item[name];
  return typeof value === "object" && value !== null && "N" in value ? value.N : undefined;
}
