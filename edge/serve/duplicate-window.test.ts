import { afterEach, beforeEach, expect, test } from "vitest";
import type { GenerateEvent } from "../../shared/inference/generation.ts";
import { paced } from "../../test/harness/generation-double.ts";
import { type Serving, startServing } from "../../test/harness/serving.ts";

// A world for each test: a clock that all of them move on would come to be further off the store's than a gateway takes.
let weir: Serving;
beforeEach(async () => {
  weir = await startServing();
});
afterEach(() => weir.close());

const begun: GenerateEvent = { kind: "begun", inputTokens: [4] };
const text: GenerateEvent = { kind: "text", choice: 0, text: "a", tokens: 1 };
const finished: GenerateEvent = { kind: "finished", choice: 0, finish: { reason: "stop" } };
const done: GenerateEvent = { kind: "done", outputTokens: [2], queueMs: 0, runMs: 9.5 };

/** A key of a tenant that takes equal requests for one. */
async function makeCareful(id: string, duplicateWindowSeconds: number): Promise<{ authorization: string }> {
  await weir.makeTenant(id, { requestsPerSecond: 1_000, burst: 1_000 });
  const before = await weir.deps.control.tenants.current(id);
  if (before === undefined) throw new Error("the tenant is there");
  const change = { by: "test", why: "", atMs: weir.clock.nowMs() };
  await weir.deps.control.tenants.append(id, before.revision, { body: { ...before.body, duplicateWindowSeconds }, change });
  return { authorization: `Bearer ${await weir.makeKey(id, "infer")}` };
}

test("where a tenant wants it, equal requests without a key are one for a while", async () => {
  const headers = await makeCareful("careful", 10);
  const ask = (input: string) => weir.post("/v1/embeddings", { model: "minilm", input }, headers);

  const answers = [await ask("a"), await ask("a"), await ask("b")];
  weir.clock.advance(10_001);
  answers.push(await ask("a"));

  expect(answers.map(({ headers }) => headers.get("idempotent-replayed"))).toEqual([null, "true", null, null]);
  expect(await weir.newRows()).toHaveLength(3);
});

test.each([false, true])(
  "a request that takes longer than its tenant's window is answered and billed once; its equals wait for it (streamed: %s)",
  async (stream) => {
    const headers = await makeCareful(`short-${stream}`, 1);
    const ask = () => weir.post("/v1/completions", { model: "smol", prompt: "a weir stands", max_tokens: 200, stream }, headers);
    const { generate, next } = paced(begun, text, finished, done);
    weir.model.nextGeneration(generate);
    const first = ask();
    await expect.poll(() => weir.model.generations.length).toBe(1);
    next();

    const within = await ask();
    weir.clock.advance(5_000);
    const beyond = await ask();

    for (let event = 0; event < 3; event += 1) next();
    const answered = await first;
    expect([within, beyond].map(({ status, headers }) => [status, headers.get("retry-after")])).toEqual(Array(2).fill([409, "2"]));
    expect([answered.status, await answered.text()]).toEqual([200, expect.stringContaining('"a"')]);
    expect(await weir.newRows()).toMatchObject([{ oc: "ok", to: "2" }]);
    const later = await ask();
    expect([later.status, later.headers.get("idempotent-replayed")]).toEqual([200, null]);
    await later.text();
    expect(await weir.newRows()).toHaveLength(1);
  },
);

test("within its window an answer that took most of it is given again until the window ends, counted from when it was first asked for", async () => {
  const headers = await makeCareful("slow", 10);
  const ask = () => weir.post("/v1/completions", { model: "smol", prompt: "a weir stands", max_tokens: 200 }, headers);
  const { generate, next } = paced(begun, text, finished, done);
  weir.model.nextGeneration(generate);
  const first = ask();
  await expect.poll(() => weir.model.generations.length).toBe(1);
  weir.clock.advance(8_000);
  for (let event = 0; event < 4; event += 1) next();
  await (await first).text();

  const replayed = [];
  for (const waitMs of [0, 2_000, 1]) {
    weir.clock.advance(waitMs);
    const answer = await ask();
    await answer.text();
    replayed.push(answer.headers.get("idempotent-replayed"));
  }

  expect(replayed).toEqual(["true", "true", null]);
});
