import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { answerEvents, contentEvent, DONE, type Engine, startEngine, toldEvent } from "../../test/harness/engine.ts";
import { type Serving, startServing } from "../../test/harness/serving.ts";

let weir: Serving;
let engine: Engine;
beforeAll(async () => {
  [weir, engine] = await Promise.all([startServing(), startEngine()]);
  await weir.addVersion("llama", { upstream: { url: engine.url, model: "m" } });
  await weir.addVersion("vllm", { upstream: { url: engine.url, model: "m", tellsUsageThroughout: true } });
});
afterAll(async () => {
  await weir.close();
  await engine.close();
});
beforeEach(async () => {
  engine.asked.length = 0;
  await weir.newRows();
});

const messages = [{ role: "user", content: "What is a weir, and who stands on it?" }]; // 37 characters
/** What a caller reads of a stream, to its end. */
const read = async (body: object) => (await weir.post("/v1/chat/completions", { stream: true, messages, ...body })).text();

test("a stream that is cut before the engine has told its usage is billed the texts' estimate as input, and never more than the whole one", async () => {
  engine.next(answerEvents(contentEvent("a"), contentEvent("b")));
  engine.next(answerEvents(contentEvent("a"), contentEvent("b"), DONE));

  await read({ model: "llama" });
  const cut = await weir.newRows();
  await read({ model: "llama" });

  expect(cut).toMatchObject([{ oc: "cut", ti: "6", to: "2" }]);
  expect(await weir.newRows()).toMatchObject([{ oc: "ok", ti: "6", to: "2" }]);
});

test("an engine that tells its usage throughout is asked to, and a cut stream is billed by its own last counts", async () => {
  engine.next(answerEvents(toldEvent("a", [11, 2], 0), toldEvent("b", [11, 3], 1), toldEvent("c", [11, 5], 0)));

  const text = await read({ model: "vllm", n: 2 });

  expect(engine.asked).toMatchObject([{ body: { stream_options: { include_usage: true, continuous_usage_stats: true } } }]);
  expect(text).not.toContain("usage");
  expect(await weir.newRows()).toMatchObject([{ oc: "cut", ti: "11", to: "8" }]);
});

test("of several prompts with several choices each, every prompt is read once", async () => {
  engine.next((outgoing) => {
    outgoing.writeHead(200, { "content-type": "text/event-stream" });
    const told = (index: number, prompt_tokens: number, completion_tokens: number) =>
      outgoing.write(`data: ${JSON.stringify({ choices: [{ index, text: "a" }], usage: { prompt_tokens, completion_tokens } })}\n\n`);
    for (const [index, promptTokens] of [5, 5, 7, 7].entries()) told(index, promptTokens, index + 1);
    outgoing.end();
  });

  const answer = await weir.post("/v1/completions", { model: "vllm", prompt: ["a", "b"], n: 2, stream: true });
  await answer.text();

  expect(await weir.newRows()).toMatchObject([{ oc: "cut", q: "2", ti: "12", to: "10" }]);
});
