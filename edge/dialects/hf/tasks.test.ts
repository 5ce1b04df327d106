import { InferenceClient } from "@huggingface/inference";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { TaskResult } from "../../../shared/inference/contract.ts";
import type { Head, VersionFacts } from "../../../shared/models/version.ts";
import { type Serving, startServing } from "../../../test/harness/serving.ts";

let weir: Serving;
let client: InferenceClient;
beforeAll(async () => {
  weir = await startServing();
  client = new InferenceClient(weir.key);
  const heads: Head[] = ["tag", "answer", "fill", "detect"];
  for (const head of heads) await weir.addVersion(head, { facts: factsOf(head) });
  await weir.addVersion("nli", { facts: { ...factsOf("classify"), labels: ["contradiction", "entailment"] } });
});
afterAll(() => weir.close());
beforeEach(async () => {
  weir.model.asked.length = 0;
  await weir.newRows();
});

const factsOf = (head: Head): VersionFacts => ({ head, family: "bert", tokensMax: 64, dtypes: ["fp32"] });
const at = (path: string) => `${weir.url}/hf/${path}`;
const asked = () => weir.model.asked.at(-1)?.body;

/** What the next call to the model finds. */
function found(body: TaskResult, inputs = 1) {
  weir.model.next(async () => ({ body, inputTokens: Array.from({ length: inputs }, () => 5), queueMs: 0, runMs: 1 }));
}

async function answerOf(path: string, body: unknown): Promise<unknown> {
  const answer = await weir.post(`/hf/${path}`, body);
  expect(answer.status).toBe(200);
  return answer.json();
}

const ENTITY = { label: "PER", score: 0.9, word: "Ada", start: 0, end: 3 };

test("the official client gets entities with their places, grouped unless it says otherwise", async () => {
  found({ task: "tag", items: [[ENTITY]] });

  const entities = await client.tokenClassification({ endpointUrl: at("tag"), inputs: "Ada wrote" });

  expect(entities).toEqual([{ entity_group: "PER", score: 0.9, word: "Ada", start: 0, end: 3 }]);
  expect(asked()).toEqual({ task: "tag", texts: ["Ada wrote"], aggregation: "simple" });
  expect(await weir.newRows()).toMatchObject([{ di: "hf", mo: "tag", ta: "tag", q: "1", ti: "5" }]);
});

test("tokens themselves come with their index, and a list of texts with a list for each", async () => {
  found({ task: "tag", items: [[{ ...ENTITY, index: 1 }], []] }, 2);

  const answer = await answerOf("tag", {
    inputs: ["Ada", "x"],
    parameters: { aggregation_strategy: "none", ignore_labels: [], stride: 4 },
  });

  expect(answer).toEqual([[{ entity: "PER", score: 0.9, index: 1, word: "Ada", start: 0, end: 3 }], []]);
  expect(asked()).toEqual({ task: "tag", texts: ["Ada", "x"], aggregation: "none", ignoreLabels: [], stride: 4 });
});

test("places count characters, as Hugging Face's own servers do, also behind an emoji", async () => {
  found({ task: "tag", items: [[{ ...ENTITY, start: 3, end: 6 }]] });

  expect(await answerOf("tag", { inputs: "👋 Ada" })).toMatchObject([{ start: 2, end: 5 }]);
});

test("the official client asks a question of a text", async () => {
  found({ task: "answer", items: [[{ answer: "Paris", score: 0.8, start: 0, end: 5 }]] });
  const inputs = { question: "Which city?", context: "Paris it is." };

  const answer = await client.questionAnswering({ endpointUrl: at("answer"), inputs, parameters: { top_k: 2, max_answer_len: 9 } });

  expect(answer).toEqual({ answer: "Paris", score: 0.8, start: 0, end: 5 });
  expect(asked()).toEqual({ task: "answer", questions: [inputs], topK: 2, answerTokensMax: 9 });
});

test("the official client fills one mask; several masks have a list each", async () => {
  const filled = { score: 0.5, token: 7, tokenText: "city", sequence: "a city" };
  const said = { score: 0.5, token: 7, token_str: "city", sequence: "a city" };
  found({ task: "fill", items: [[[filled]]] });
  const one = await client.fillMask({ endpointUrl: at("fill"), inputs: "a [MASK]" });
  found({ task: "fill", items: [[[filled], [filled]]] });
  const two = await answerOf("fill", { inputs: "a [MASK] [MASK]", parameters: { targets: ["city"], top_k: 1 } });

  expect(one).toEqual([said]);
  expect(two).toEqual([[said], [said]]);
  expect(asked()).toEqual({ task: "fill", texts: ["a [MASK] [MASK]"], topK: 1, targets: ["city"] });
});

test.each(["nli", "minilm"])("the official client finds the labels that fit, with %s", async (model) => {
  const labels = [
    { label: "travel", score: 0.7 },
    { label: "film", score: 0.3 },
  ];
  found({ task: "zero-shot", items: [labels] });
  const parameters = { candidate_labels: ["film", "travel"], multi_label: true, hypothesis_template: "About {}." };

  expect(await client.zeroShotClassification({ endpointUrl: at(model), inputs: "A trip", parameters })).toEqual(labels);
  expect(asked()).toEqual({ task: "zero-shot", texts: ["A trip"], labels: ["film", "travel"], template: "About {}.", isMultiLabel: true });
});

test("labels may be one text with commas", async () => {
  found({ task: "zero-shot", items: [[], []] }, 2);

  await answerOf("minilm", { inputs: ["x", "y"], parameters: { candidate_labels: "film, travel" } });

  expect(asked()).toMatchObject({ labels: ["film", "travel"] });
});

test("documents are ranked with the best first", async () => {
  found({ task: "rerank", scores: [0.1, 0.9, 0.5] }, 3);

  const answer = await answerOf("minilm", { inputs: { query: "q", texts: ["a", "b", "c"] }, parameters: { return_text: true, top_k: 2 } });

  expect(answer).toEqual([
    { index: 1, score: 0.9, text: "b" },
    { index: 2, score: 0.5, text: "c" },
  ]);
  expect(await weir.newRows()).toMatchObject([{ ta: "rerank", q: "3", ti: "15" }]);
});

test("replaced tokens, keywords and summaries come in their own forms", async () => {
  found({ task: "detect", items: [[{ index: 1, token: "cat", score: 0.2, start: 0, end: 3 }]] });
  expect(await answerOf("detect", { inputs: "cat" })).toEqual([{ index: 1, token: "cat", score: 0.2, start: 0, end: 3 }]);

  found({ task: "keywords", items: [[{ keyword: "river", score: 0.6 }]] });
  expect(await answerOf("minilm/pipeline/keyword-extraction", { inputs: "a river", parameters: { max_words: 1 } })).toEqual([
    { keyword: "river", score: 0.6 },
  ]);

  const endpointUrl = at("minilm/pipeline/extractive-summarization");
  found({ task: "summarize", items: [{ summary: "A.", sentences: [{ start: 0, end: 2, score: 0.9 }] }] });
  expect(await client.summarization({ endpointUrl, inputs: "A. B." })).toMatchObject({ summary_text: "A." });
});

const refusals: [message: RegExp, path: string, body: unknown][] = [
  [/^inputs: must be a text/, "tag", { inputs: { text: "x", text_pair: "y" } }],
  [/^inputs\.1: holds half of a surrogate pair/, "tag", { inputs: ["x", "\udc00"] }],
  [/^parameters\.aggregation_strategy: /, "tag", { inputs: "x", parameters: { aggregation_strategy: "best" } }],
  [/^parameters\.top_k: /, "tag", { inputs: "x", parameters: { top_k: 1 } }],
  [/^inputs: must be \{question, context\}/, "answer", { inputs: "x" }],
  [/^inputs\.context: .*empty/, "answer", { inputs: { question: "x", context: "" } }],
  [/does 'tag', .*not 'answer'/, "tag", { inputs: { question: "x", context: "y" } }],
  [/^parameters\.candidate_labels: /, "minilm", { inputs: "x", parameters: { candidate_labels: [] } }],
  [
    /^parameters\.hypothesis_template: must hold \{\}/,
    "nli",
    { inputs: "x", parameters: { candidate_labels: ["a"], hypothesis_template: "a" } },
  ],
  [/does 'classify', .*not 'zero-shot'/, "sentiment", { inputs: "x", parameters: { candidate_labels: ["a"] } }],
  [/^inputs: must be \{query, texts\}/, "minilm/pipeline/text-ranking", { inputs: "x" }],
  [/^inputs: an input may not be an empty text/, "minilm/pipeline/keyword-extraction", { inputs: "" }],
];

test.each(refusals)("what is refused with %s at %s asks no model and meters nothing", async (message, path, body) => {
  const answer = await weir.post(`/hf/${path}`, body);

  expect(answer.status).toBe(400);
  expect(await answer.json()).toEqual({ error: expect.stringMatching(message), error_type: "invalid_request" });
  expect(weir.model.asked).toEqual([]);
  expect(await weir.newRows()).toEqual([]);
});

test("text generation answers as text-generation-inference does, whole and as it comes", async () => {
  const whole = (await answerOf("smol", {
    inputs: "Once upon",
    parameters: { max_new_tokens: 4, details: true, return_full_text: true },
  })) as {
    generated_text: string;
    details: { finish_reason: string; generated_tokens: number };
  }[]; // what the assertions below look at
  const stream = await weir.post("/hf/smol", { inputs: "Once upon", parameters: { max_new_tokens: 4 }, stream: true });
  const events = (await stream.text())
    .split("\n\n")
    .filter((event) => event !== "")
    .map((event) => JSON.parse(event.slice("data:".length)));

  expect(whole[0]?.generated_text).toMatch(/^Once upon./);
  expect(whole[0]?.details).toMatchObject({ finish_reason: "length", generated_tokens: 4 });
  expect(stream.headers.get("content-type")).toMatch(/^text\/event-stream/);
  expect(events.map(({ token }) => token.text).join("")).toBe(whole[0]?.generated_text.slice("Once upon".length));
  expect(events.at(-1)).toMatchObject({
    generated_text: whole[0]?.generated_text.slice("Once upon".length),
    details: { finish_reason: "length" },
  });
  expect(await weir.newRows()).toMatchObject([
    { di: "hf", ta: "generate", to: "4" },
    { di: "hf", ta: "generate", to: "4" },
  ]);
});

test("generation is greedy unless something says that it is drawn, and refuses what it cannot do", async () => {
  await answerOf("smol", { inputs: "x", parameters: { max_new_tokens: 1 } });
  await answerOf("smol", { inputs: "x", parameters: { max_new_tokens: 1, top_p: 0.9, seed: 7, stop: ["\n"] } });
  const refused = await weir.post("/hf/smol", { inputs: "x", parameters: { watermark: true } });

  expect(weir.model.generations.map(({ body }) => body.sampling).slice(-2)).toEqual([
    { temperature: 0 },
    { temperature: 1, topP: 0.9, seed: 7 },
  ]);
  expect(weir.model.generations.at(-1)?.body.stop).toEqual(["\n"]);
  expect(refused.status).toBe(400);
  expect(await refused.json()).toMatchObject({ error: expect.stringMatching(/^parameters\.watermark: /) });
});
