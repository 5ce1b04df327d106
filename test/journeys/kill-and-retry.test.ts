import { setTimeout as sleep } from "node:timers/promises";
import { Agent } from "undici";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CHECKPOINT_TOKENS } from "../../edge/serve/coverage.ts";
import { type LedgerRow, readLedgerRows } from "../harness/ledger-rows.ts";
import { startPlatform, type TestPlatform } from "../harness/platform.ts";

const KEYS = 24;
const STREAMS = 3;
const KILLS_AFTER_MS = [2_000, 2_500];
/** A row that nobody renews is over after a minute; then whoever asks again takes over. */
const RETRIES_MS_MAX = 150_000;
const STREAM_TOKENS_MAX = 200;

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

test("kill -9 of the gateway under requests with keys and streams: each key is billed once, and a cut stream as far as it was covered", async () => {
  const startedAtMs = Date.now();
  const streams = Array.from({ length: STREAMS }, () => readStream());
  const keyed = Array.from({ length: KEYS }, (_, number) => askUntilAnswered(`key-${number}`));

  for (const afterMs of KILLS_AFTER_MS) {
    await sleep(afterMs); // the kill has to fall into the middle of real requests
    await platform.kill("gateway");
  }
  const answers = await Promise.all(keyed);
  const cut = await Promise.all(streams);

  const rows = await readLedgerRows(platform.stateDir, startedAtMs);
  const billed = rows.filter((row) => !row.isVoided && text(row, "st") === "S").map((row) => row.requestId);
  console.log(
    `keys ${KEYS}, asked ${answers.reduce((sum, { asked }) => sum + asked, 0)} times; streams cut after ${cut.map(({ tokens }) => tokens)} tokens`,
  );
  const answered = answers.map(({ requestId }) => requestId);
  expect(new Set(answered).size).toBe(KEYS);
  for (const requestId of answered) expect(billed.filter((id) => id === requestId)).toHaveLength(1);
  // Of those that were in flight at a kill, none is billed beside the one that answers.
  expect(billed.filter((id) => !answered.includes(id) && !cut.some((stream) => stream.requestId === id))).toEqual([]);
  for (const { requestId, tokens } of cut.filter((stream) => stream.requestId !== undefined)) {
    const row = rows.find((each) => each.requestId === requestId);
    const covered = row === undefined ? 0 : Math.max(count(row, "pg"), count(row, "to"));
    expect(covered).toBeGreaterThanOrEqual(tokens);
    expect(covered - tokens).toBeLessThanOrEqual(CHECKPOINT_TOKENS + 1); // the last token may have been on its way
  }
}, 240_000);

async function askUntilAnswered(key: string): Promise<{ requestId: string; asked: number }> {
  const endAtMs = Date.now() + RETRIES_MS_MAX;
  for (let asked = 1; Date.now() < endAtMs; asked += 1) {
    const answer = await post("/hf/sentiment", { inputs: `the river rises, says ${key}` }, { "idempotency-key": key }).catch(
      () => undefined,
    );
    await answer?.body.text().catch(() => {});
    const requestId = answer?.headers["weir-request-id"];
    if (answer?.statusCode === 200 && typeof requestId === "string") return { requestId, asked };
    await sleep(500);
  }
  throw new Error(`${key} was not answered in ${RETRIES_MS_MAX} ms`);
}

/** Reads until the connection breaks or the stream ends. */
async function readStream(): Promise<{ requestId: string | undefined; tokens: number }> {
  const asked = { model: "smollm2", prompt: "Count the stones in the river:", max_tokens: STREAM_TOKENS_MAX, stream: true };
  const answer = await post("/v1/completions", asked, {}).catch(() => undefined);
  if (answer === undefined) return { requestId: undefined, tokens: 0 }; // killed before its head
  let [tokens, rest] = [0, ""];
  try {
    for await (const chunk of answer.body) {
      rest += String(chunk);
      const events = rest.split("\n\n");
      rest = events.pop() ?? "";
      tokens += events.filter((event) => /"text":"[^"]/.test(event)).length;
    }
  } catch {
    // The gateway died: what has come until then counts.
  }
  const requestId = answer.headers["weir-request-id"];
  return { requestId: typeof requestId === "string" ? requestId : undefined, tokens };
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
