import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Failure } from "../../shared/base/failure.ts";
import type { Generate } from "../../test/harness/generation-double.ts";
import { type Serving, startServing } from "../../test/harness/serving.ts";

let weir: Serving;
beforeAll(async () => {
  weir = await startServing();
});
afterAll(() => weir.close());
beforeEach(async () => {
  await weir.newRows();
});

/** Says a word for each second until its time is over, and then what there is. */
const talksForLong: Generate = async function* talksForLong({ body }, { timeoutMs }) {
  yield { kind: "begun", inputTokens: [4] };
  const words = Math.floor((body.withinMs ?? timeoutMs) / 1_000);
  for (let word = 0; word < words; word += 1) yield { kind: "text", choice: 0, text: " water", tokens: 1 };
  if (body.withinMs === undefined) throw new Failure("timeout", "The model did not finish in time.");
  yield { kind: "finished", choice: 0, finish: { reason: "length" } };
  yield { kind: "done", outputTokens: [words], queueMs: 0, runMs: 57_000 };
};

test("a whole answer that would take too long ends with what there is, and is billed for that", async () => {
  weir.model.nextGeneration(talksForLong);

  const answer = await weir.post("/v1/completions", { model: "smol", prompt: "a weir stands", max_tokens: 5_000 });

  expect(answer.status).toBe(200);
  expect(await answer.json()).toMatchObject({
    choices: [{ text: " water".repeat(58), finish_reason: "length" }],
    usage: { completion_tokens: 58 },
  });
  expect(await weir.newRows()).toMatchObject([{ oc: "ok", ti: "4", to: "58", ms: "57000" }]);
});

test.each([
  [
    "its caller waits for two seconds",
    "/v1/chat/completions",
    { messages: [{ role: "user", content: "x" }] },
    { "weir-timeout": "2" },
    1_600,
  ],
  ["the client's own timeout is thirty", "/v1/completions", { prompt: "x" }, { "x-stainless-timeout": "30" }, 29_000],
  ["nobody says anything", "/hf/smol", { inputs: "x" }, {}, 58_000],
  ["it is streamed", "/v1/completions", { prompt: "x", stream: true }, {}, undefined],
  ["its caller wants all or nothing", "/v2/models/smol/generate", { text_input: "x", parameters: { timeout: 3_000_000 } }, {}, undefined],
])("when %s a generation is told when to end", async (_, path, body, headers: Record<string, string>, withinMs) => {
  const answer = await weir.post(path, { model: "smol", ...body }, headers);

  expect(answer.status).toBe(200);
  await answer.text();
  expect(weir.model.generations.at(-1)?.body.withinMs).toBe(withinMs);
});
