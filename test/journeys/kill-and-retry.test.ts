import { setTimeout as sleep } from "node:timers/promises";
import { Agent } from "undici";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CHECKPOINT_TOKENS } from "../../edge/serve/coverage.ts";
import { claimIdOf } from "../../shared/usage/retries/idempotency.ts";
import { type LedgerRow, readLedgerRows } from "../harness/ledger-rows.ts";
import { startPlatform, type TestPlatform } from "../harness/platform.ts";

/** Callers that ask with one key after another, and let go of one that is not answered soon. */
const CALLERS = 16;
const LET_GO_AFTER = { attempts: 20, pauseMs: 50 };
/** Keys that are asked in the moment of each kill, until they are answered: a row that nobody renews is over after a minute, then a retry takes over. */
const STUBBORN = 12;
const NEVER_LET_GO = { attempts: 300, pauseMs: 500 };
const STREAMS = 3;
const STREAM_TOKENS_MAX = 200;
const KILLS = 2;
/** Keys that are answered before each kill and after the last one, so that each falls into the middle of real load however slow the machine is. */
const ANSWERED_BETWEEN = 30;
const ANSWERED_TIMEOUT_MS = 60_000;
/** Of streams: their model is loaded first. */
const BEGUN_TIMEOUT_MS = 60_000;

let platform: TestPlatform;
let agent: Agent;
beforeAll(async () => {
  platform = await startPlatform();
  agent = new Agent();
});
afterAll(async () => {
  await agent.close();
  await platform.remove();
});

type Answered = { readonly requestId: string; readonly text: string };
/** What its caller has seen of a stream. */
type Stream = { requestId: string | undefined; tokens: number };
type Patience = { readonly attempts: number; readonly pauseMs: number };

test("kill -9 of the gateway, twice, under callers that retry and streams: each key is billed once, and a cut stream as far as it was covered", async () => {
  const startedAtMs = Date.now();
  const keys = new Map<string, Answered[]>();
  const answeredCount = () => [...keys.values()].filter((answers) => answers.length > 0).length;
  const ask = (key: string, patience: Patience) => {
    const answers = keys.get(key) ?? [];
    keys.set(key, answers);
    return askUntilAnswered(key, answers, patience);
  };
  let isOver = false;

  const streams = Array.from({ length: STREAMS }, (): Stream => ({ requestId: undefined, tokens: 0 }));
  const read = streams.map(readStream);
  const load = Array.from({ length: CALLERS }, async (_, caller) => {
    for (let turn = 0; !isOver; turn += 1) await ask(`caller-${caller}-${turn}`, LET_GO_AFTER);
  });
  await expect.poll(() => Math.min(...streams.map(({ tokens }) => tokens)), { timeout: BEGUN_TIMEOUT_MS }).toBeGreaterThan(0);
  const stubborn: Promise<void>[] = [];
  for (let kills = 0; kills <= KILLS; kills += 1) {
    const before = answeredCount();
    await expect.poll(answeredCount, { timeout: ANSWERED_TIMEOUT_MS }).toBeGreaterThanOrEqual(before + ANSWERED_BETWEEN);
    if (kills === KILLS) break;
    stubborn.push(...Array.from({ length: STUBBORN }, (_, number) => ask(`stubborn-${kills}-${number}`, NEVER_LET_GO)));
    await platform.kill("gateway");
  }
  isOver = true;
  await Promise.all([...load, ...stubborn]);
  // Whoever lost an answer on the way asks again, and so do those who have theirs.
  for (const [key, answers] of keys) if (answers.length > 0) await ask(key, LET_GO_AFTER);
  await Promise.all(read);

  const rows = await readLedgerRows(platform.stateDir, startedAtMs);
  const answered = [...keys].filter(([, answers]) => answers.length > 0);
  console.log(`keys ${keys.size}, answered ${answered.length}; streams cut after ${streams.map(({ tokens }) => tokens)} tokens`);
  expect(answered.filter(([key]) => key.startsWith("stubborn"))).toHaveLength(KILLS * STUBBORN);
  expectBilledOnce(rows, answered);
  expectCovered(rows, streams);
  const known = new Set(streams.map(({ requestId }) => requestId));
  expect(billedIn(rows).filter((row) => text(row, "ik") === "" && !known.has(row.requestId))).toEqual([]);
}, 300_000);

/** Every answer of a key is the same one, and its row is the only one that the key is billed by; of those without an answer none is billed twice. */
function expectBilledOnce(rows: readonly LedgerRow[], answered: readonly (readonly [string, readonly Answered[]])[]) {
  const billed = Map.groupBy(billedIn(rows), (row) => text(row, "ik"));
  billed.delete("");
  for (const [key, answers] of answered) {
    expect(new Set(answers.map((answer) => answer.text)).size).toBe(1);
    const ids = [...new Set(answers.map(({ requestId }) => requestId))];
    expect(billed.get(claimIdOf("demo", key))?.map(({ requestId }) => requestId)).toEqual(ids);
  }
  expect([...billed.values()].filter((each) => each.length > 1)).toEqual([]);
}

function expectCovered(rows: readonly LedgerRow[], streams: readonly Stream[]) {
  for (const { requestId, tokens } of streams) {
    const row = rows.find((each) => each.requestId === requestId);
    const covered = row === undefined ? 0 : Math.max(count(row, "pg"), count(row, "to"));
    expect(covered).toBeGreaterThanOrEqual(tokens);
    expect(covered - tokens).toBeLessThanOrEqual(CHECKPOINT_TOKENS + 1); // the last token may have been on its way
  }
}

function billedIn(rows: readonly LedgerRow[]): readonly LedgerRow[] {
  return rows.filter((row) => !row.isVoided && text(row, "st") === "S");
}

/** Asks as a client does that retries; a key whose request died with its gateway stays 409 until its row has expired. */
async function askUntilAnswered(key: string, answers: Answered[], { attempts, pauseMs }: Patience): Promise<void> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const answer = await askOnce(key).catch(() => undefined);
    if (answer?.status === 200) return void answers.push(answer);
    await sleep(pauseMs);
  }
}

async function askOnce(key: string) {
  const { statusCode, headers, body } = await post("/hf/sentiment", { inputs: `the river rises by ${key}` }, { "idempotency-key": key });
  return { status: statusCode, requestId: String(headers["weir-request-id"]), text: await body.text() };
}

/** Reads until the connection breaks or the stream ends. */
async function readStream(stream: Stream): Promise<void> {
  const asked = { model: "smollm2", prompt: "Count the stones in the river:", max_tokens: STREAM_TOKENS_MAX, stream: true };
  const answer = await post("/v1/completions", asked, {});
  const requestId = answer.headers["weir-request-id"];
  stream.requestId = typeof requestId === "string" ? requestId : undefined;
  let rest = "";
  try {
    for await (const chunk of answer.body) {
      rest += String(chunk);
      const events = rest.split("\n\n");
      rest = events.pop() ?? "";
      stream.tokens += events.filter((event) => /"text":"[^"]/.test(event)).length;
    }
  } catch {
    // The gateway died: what has come until then counts.
  }
}

function post(path: string, body: unknown, headers: Record<string, string>) {
  return agent.request({
    origin: platform.url,
    path,
    method: "POST",
    headers: { authorization: `Bearer ${platform.demoKey}`, "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
    headersTimeout: 60_000,
    bodyTimeout: 60_000,
  });
}

function text({ item }: LedgerRow, name: string): string {
  const value = item[name];
  return value !== undefined && "S" in value ? value.S : "";
}

function count({ item }: LedgerRow, name: string): number {
  const value = item[name];
  return value !== undefined && "N" in value ? Number(value.N) : 0;
}
