import { setTimeout as sleep } from "node:timers/promises";
import { Agent } from "undici";
import { afterAll, beforeAll, expect, test } from "vitest";
import { claimIdOf } from "../../shared/usage/idempotency.ts";
import { readLedgerRows } from "../harness/ledger-rows.ts";
import { startPlatform, type TestPlatform } from "../harness/platform.ts";

const CALLERS = 16;
const KILLS = 2;
/** Keys that are answered before each kill and after the last one, so that each falls into the middle of real load however slow the machine is. */
const ANSWERED_BETWEEN = 30;
const ANSWERED_TIMEOUT_MS = 60_000;
const ATTEMPTS_MAX = 20;

let platform: TestPlatform;
beforeAll(async () => {
  platform = await startPlatform();
});
afterAll(() => platform.remove());

type Answered = { readonly requestId: string; readonly text: string };

test("kill -9 of the gateway, twice, while callers retry with their keys: every answered key has exactly one billed row, and none has two", async () => {
  const startedAtMs = Date.now();
  const agent = new Agent({ connections: CALLERS });
  const keys = new Map<string, Answered[]>();
  const answeredCount = () => [...keys.values()].filter((answers) => answers.length > 0).length;
  let isOver = false;

  const load = Promise.all(
    Array.from({ length: CALLERS }, async (_, caller) => {
      for (let turn = 0; !isOver; turn += 1) {
        const key = `caller-${caller}-${turn}`;
        keys.set(key, []);
        await askUntilAnswered(agent, key, keys.get(key) ?? []);
      }
    }),
  );
  for (let kills = 0; kills <= KILLS; kills += 1) {
    const before = answeredCount();
    await expect.poll(answeredCount, { timeout: ANSWERED_TIMEOUT_MS }).toBeGreaterThanOrEqual(before + ANSWERED_BETWEEN);
    if (kills < KILLS) await platform.kill("gateway");
  }
  isOver = true;
  await load;
  // Whoever lost an answer on the way asks again, and so do some who have theirs.
  for (const [key, answers] of keys) if (answers.length > 0) await askUntilAnswered(agent, key, answers);
  await agent.close();

  const rows = await readLedgerRows(platform.stateDir, startedAtMs);
  const billed = new Map<string, string[]>();
  for (const { item, isVoided, requestId } of rows) {
    const [state, id] = [item["st"], item["ik"]];
    if (isVoided || state === undefined || !("S" in state) || state.S !== "S" || id === undefined || !("S" in id)) continue;
    billed.set(id.S, [...(billed.get(id.S) ?? []), requestId]);
  }
  const answered = [...keys].filter(([, answers]) => answers.length > 0);
  console.log(`keys ${keys.size}, answered ${answered.length}, billed ${billed.size}`);
  for (const [key, answers] of answered) {
    const ids = new Set(answers.map(({ requestId }) => requestId));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(billed.get(claimIdOf("demo", key))).toEqual([...ids]);
  }
  expect([...billed.values()].filter((ids) => ids.length > 1)).toEqual([]);
}, 240_000);

/** Asks as a client does that retries; a key whose request died with its gateway stays 409 until its row has expired, and is let go here. */
async function askUntilAnswered(dispatcher: Agent, key: string, answers: Answered[]) {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const answer = await ask(dispatcher, key).catch(() => undefined);
    if (answer?.status === 200) return void answers.push(answer);
    await sleep(50);
  }
}

async function ask(dispatcher: Agent, key: string) {
  const { statusCode, headers, body } = await dispatcher.request({
    origin: platform.url,
    path: "/hf/sentiment",
    method: "POST",
    headers: { authorization: `Bearer ${platform.demoKey}`, "content-type": "application/json", "idempotency-key": key },
    body: JSON.stringify({ inputs: `the river rises by ${key}` }),
    headersTimeout: 20_000,
    bodyTimeout: 20_000,
  });
  return { status: statusCode, requestId: String(headers["weir-request-id"]), text: await body.text() };
}
