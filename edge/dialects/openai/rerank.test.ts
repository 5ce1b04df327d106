import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { answerJson, type Engine, startEngine } from "../../../test/harness/engine.ts";
import { type Serving, startServing } from "../../../test/harness/serving.ts";
import { RerankAnswer } from "./rerank.ts";

let weir: Serving;
let engine: Engine;
beforeAll(async () => {
  [weir, engine] = await Promise.all([startServing(), startEngine()]);
  await weir.addVersion("ranker", { upstream: { url: engine.url, model: "bge" } });
});
afterAll(async () => {
  await weir.close();
  await engine.close();
});
beforeEach(async () => {
  weir.model.asked.length = 0;
  await weir.newRows();
});

const DOCUMENTS = ["the sea", "a weir stands", { text: "a river, a weir" }, "a weir"];
const rerank = (more: object) => weir.post("/v1/rerank", { model: "minilm", query: "a weir", documents: DOCUMENTS, ...more });

test("documents come back by relevance, equals in their own order, and are metered", async () => {
  const answer = await rerank({});

  expect(RerankAnswer.strict().parse(await answer.json())).toEqual({
    id: `rerank-${answer.headers.get("weir-request-id")}`,
    model: "minilm@1",
    results: [
      { index: 1, relevance_score: 1 },
      { index: 2, relevance_score: 1 },
      { index: 3, relevance_score: 1 },
      { index: 0, relevance_score: 0.5 },
    ],
    usage: { prompt_tokens: 27, total_tokens: 27 },
  });
  expect(weir.model.asked).toMatchObject([
    { body: { task: "rerank", overlong: "cut", documents: DOCUMENTS.map((each) => (typeof each === "string" ? each : each.text)) } },
  ]);
  expect(await weir.newRows()).toMatchObject([{ ta: "rerank", q: "4", ti: "27", to: "0", ms: "2", oc: "ok", di: "openai", mo: "minilm" }]);
});

test("the best alone come back with their texts if that is asked for", async () => {
  const answer = RerankAnswer.parse(await (await rerank({ top_n: 2, return_documents: true })).json());

  expect(answer.results).toEqual([
    { index: 1, relevance_score: 1, document: { text: "a weir stands" } },
    { index: 2, relevance_score: 1, document: { text: "a river, a weir" } },
  ]);
});

test.each<[more: object, param: string]>([
  [{ documents: [] }, "documents"],
  [{ documents: ["x", ""] }, "documents.1"],
  [{ documents: ["x", 7] }, "documents.1"],
  [{ documents: ["\ud800"] }, "documents.0"],
  [{ query: "" }, "query"],
  [{ top_n: 0 }, "top_n"],
  [{ model: "sentiment" }, "model"],
])("%j is refused", async (more, param) => {
  const answer = await rerank(more);

  expect(answer.status).toBe(400);
  expect(await answer.json()).toMatchObject({ error: { param } });
  expect(weir.model.asked).toEqual([]);
  expect(await weir.newRows()).toEqual([]);
});

test("a score that is none is the pool's fault", async () => {
  weir.model.next(async () => ({ body: { task: "rerank", scores: [Number.NaN] }, inputTokens: [3], queueMs: 0, runMs: 1 }));

  expect((await rerank({ documents: ["x"] })).status).toBe(502);
  expect(await weir.newRows()).toEqual([]);
});

test("an engine that ranks is asked under its own name and metered by its usage", async () => {
  engine.next(answerJson(200, { results: [{ index: 0, relevance_score: 0.5 }], usage: { prompt_tokens: 9, total_tokens: 9 } }));

  const answer = await rerank({ model: "ranker", top_n: 1 });

  expect(await answer.json()).toMatchObject({ results: [{ relevance_score: 0.5 }] });
  expect(engine.asked).toMatchObject([{ path: "/v1/rerank", body: { model: "bge", top_n: 1 } }]);
  expect(await weir.newRows()).toMatchObject([{ ta: "rerank", q: "4", ti: "9", tr: "upstream" }]);
});
