import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { VersionFacts } from "../../../shared/models/version.ts";
import { DIMENSIONS, LABELS } from "../../../test/harness/model-double.ts";
import { CLASSIFY, type Serving, startServing } from "../../../test/harness/serving.ts";

const facts = (head: VersionFacts["head"], more: Partial<VersionFacts> = {}): VersionFacts => ({
  ...{ head, family: "bert", tokensMax: 16, dtypes: ["fp32"] },
  ...more,
});
const TYPES = ["bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float16", "float32", "float64"];
const echo = (name: string) => TYPES.map((type) => ({ name: `${name}_${type}`, type, dims: [-1] }));

let weir: Serving;
beforeAll(async () => {
  weir = await startServing();
  for (const head of ["tag", "answer", "fill", "detect"] as const) await weir.addVersion(head, { facts: facts(head) });
  await weir.addVersion("nli", { facts: facts("classify", { labels: ["CONTRADICTION", "NEUTRAL", "ENTAILMENT"] }) });
  await weir.addVersion("reranker", { facts: facts("classify", { labels: ["LABEL_0"] }) });
  await weir.addVersion("echo", { facts: facts("embed", { dimensions: DIMENSIONS, graph: { inputs: echo("x"), outputs: echo("y") } }) });
});
afterAll(() => weir.close());
beforeEach(async () => {
  weir.model.asked.length = 0;
  await weir.newRows();
});

const bytes = (name: string, ...data: string[]) => ({ name, shape: [data.length], datatype: "BYTES", data });
const post = (model: string, body: object) => weir.post(`/v2/models/${model}/infer`, body);

type Tensor = { name: string; datatype: string; shape: number[]; data: unknown[] };

/** The answer's tensors by name; of BYTES tensors whose texts are JSON, what they say. */
async function infer(model: string, body: object): Promise<Record<string, unknown[]>> {
  const answer = await post(model, body);
  const json = (await answer.json()) as { outputs: Tensor[] }; // as the protocol says
  expect([answer.status, json]).toEqual([200, expect.objectContaining({ outputs: expect.any(Array) })]);
  return Object.fromEntries(json.outputs.map(({ name, data }) => [name, data.map(readRow)]));
}

const readRow = (row: unknown) => (typeof row === "string" && /^[[{]/.test(row) ? JSON.parse(row) : row);

test("entities come as one JSON text a row, and the parameters reach the task", async () => {
  const parameters = { aggregation_strategy: "max", ignore_labels: "O, MISC", stride: 2 };

  const { entities } = await infer("tag", { inputs: [bytes("text", "Anna and Bo", "nobody")], parameters });

  expect(entities).toEqual([
    [
      { label: "NAME", score: 0.75, word: "Anna", start: 0, end: 4 },
      { label: "NAME", score: 0.75, word: "Bo", start: 9, end: 11 },
    ],
    [],
  ]);
  expect(weir.model.asked[0]?.body).toEqual({
    ...{ task: "tag", texts: ["Anna and Bo", "nobody"], aggregation: "max" },
    ...{ ignoreLabels: ["O", "MISC"], stride: 2 },
  });
  expect(await weir.newRows()).toMatchObject([{ di: "oip", ta: "tag", q: "2" }]);
});

test("places count characters, not UTF-16 units, before and behind an emoji", async () => {
  const { entities } = await infer("tag", { inputs: [bytes("text", "Ab 🌊🌊 Cd 🌊 É")] });

  const [row] = entities as { word: string; start: number; end: number }[][]; // one text was asked
  const characters = [..."Ab 🌊🌊 Cd 🌊 É"];
  expect(row?.map(({ word, start, end }) => [word, characters.slice(start, end).join("")])).toEqual([
    ["Ab", "Ab"],
    ["Cd", "Cd"],
    ["É", "É"],
  ]);
});

test("questions have their best answer as flat tensors, and all answers as JSON", async () => {
  const inputs = [bytes("question", "who?", "who?"), bytes("context", "🌊 Anna met Bo", "nobody")];
  const parameters = { top_k: 2, doc_stride: 4, max_seq_len: 32, max_question_len: 8, max_answer_len: 3, handle_impossible_answer: true };

  const answered = await infer("answer", { inputs, parameters });

  expect(answered).toEqual({
    answer: ["Anna", ""],
    score: [expect.closeTo(0.9, 5), 0],
    start: [2, 0],
    end: [6, 0],
    answers: [[{ answer: "Anna", score: 0.9, start: 2, end: 6 }, expect.objectContaining({ answer: "Bo", start: 11 })], []],
  });
  expect(weir.model.asked[0]?.body).toEqual({
    task: "answer",
    questions: [
      { question: "who?", context: "🌊 Anna met Bo" },
      { question: "who?", context: "nobody" },
    ],
    ...{ topK: 2, docStride: 4, tokensMax: 32, questionTokensMax: 8, answerTokensMax: 3, allowsNone: true },
  });
});

test("masks are filled, each with its ranking", async () => {
  const { fills } = await infer("fill", { inputs: [bytes("text", "a [MASK] and a [MASK]")], parameters: { top_k: 1, targets: ["weir"] } });

  const filled = { score: 0.5, token: 0, token_str: "weir", sequence: "a weir and a [MASK]" };
  expect(fills).toEqual([[[filled], [filled]]]);
});

test("labels are ranked without training, by an NLI head that is asked to or by likeness", async () => {
  const parameters = { task: "zero-shot", candidate_labels: '["dry","wet"]', hypothesis_template: "It is {}.", multi_label: true };

  for (const model of ["nli", "minilm"]) {
    const { labels, scores } = await infer(model, { inputs: [bytes("text", "so wet", "so dry")], parameters });

    expect(labels).toEqual(["wet", "dry", "dry", "wet"]);
    expect(scores).toEqual([0.75, 0.25, 0.75, 0.25]);
  }
  expect(weir.model.asked[0]?.body).toEqual({
    ...{ task: "zero-shot", texts: ["so wet", "so dry"], labels: ["dry", "wet"] },
    ...{ template: "It is {}.", isMultiLabel: true },
  });
});

test("documents are reranked for a query, and ranked by the classification extension", async () => {
  const inputs = [bytes("query", "a weir"), bytes("documents", "a river", "a weir", "nothing")];
  const parameters = { task: "rerank", raw_scores: true };

  const { scores } = await infer("reranker", { inputs, parameters });
  const best = await infer("minilm", { inputs, parameters, outputs: [{ name: "scores", parameters: { classification: 2 } }] });

  expect(scores).toEqual([0.5, 1, 0]);
  expect(best).toEqual({ scores: ["1:1", "0.5:0"] });
  expect(weir.model.asked[0]?.body).toMatchObject({ task: "rerank", query: "a weir", isRaw: true, overlong: "cut" });
});

test("replaced tokens, keywords and summaries", async () => {
  const inputs = [bytes("text", "Weirs hold. Rivers flow.")];

  const { tokens } = await infer("detect", { inputs });
  const { keywords } = await infer("minilm", { inputs, parameters: { task: "keywords", top_k: 1, words_max: 3, diversity: 0.2 } });
  const { summary, sentences } = await infer("minilm", { inputs, parameters: { task: "summarize", sentences: 1 } });

  expect(tokens).toEqual([[expect.objectContaining({ index: 0, token: "Weirs", score: 0.5, start: 0, end: 5 }), expect.anything()]]);
  expect(keywords).toEqual([[{ keyword: "Weirs", score: 0.5 }]]);
  expect([summary, sentences]).toEqual([["Weirs hold."], [[{ start: 0, end: 11, score: 0.5 }]]]);
  expect(weir.model.asked.map(({ body }) => body.task)).toEqual(["detect", "keywords", "summarize"]);
});

test("the names of the bare graph run the bare graph, whose logits carry the head's labels", async () => {
  const ids = { name: "input_ids", datatype: "INT64", shape: [2, 2], data: [[7, 1], [8, 1]] }; // biome-ignore format: as rows
  const mask = { name: "attention_mask", datatype: "INT64", shape: [2, 2], data: [1, 1, 1, 1] };

  const { logits } = await infer("sentiment", { inputs: [ids, mask] });
  const ranked = await infer("sentiment", { inputs: [ids, mask], outputs: [{ name: "logits", parameters: { classification: 9 } }] });

  expect(logits).toEqual([7, 7.25, 7.5, 8, 8.25, 8.5]);
  expect(ranked["logits"]?.slice(0, 3)).toEqual([`7.5:2:${LABELS[2]}`, `7.25:1:${LABELS[1]}`, `7:0:${LABELS[0]}`]);
  expect(ranked["logits"]).toHaveLength(6);
  expect(await weir.newRows()).toMatchObject([
    { ta: "forward", q: "1" },
    { ta: "forward", q: "1" },
  ]);
});

test("tensors of every type reach the graph and come back without loss, as JSON too", async () => {
  const data: Record<string, string> = {
    ...{ bool: "true", uint8: "255", uint16: "65535", uint32: "4294967295", uint64: "18446744073709551615" },
    ...{ int8: "-128", int16: "-32768", int32: "-2147483648", int64: "-9007199254740993" },
    ...{ float16: "0.0999755859375", float32: "0.10000000149011612", float64: "0.1" },
  };
  const datatypes: Record<string, string> = { float16: "FP16", float32: "FP32", float64: "FP64" };
  const inputs = TYPES.map(
    (type) => `{"name":"x_${type}","datatype":"${datatypes[type] ?? type.toUpperCase()}","shape":[1],"data":[${data[type]}]}`,
  );

  const answer = await weir.post("/v2/models/echo/infer", `{"inputs":[${inputs.join(",")}]}`);

  const text = await answer.text();
  expect([answer.status, text]).toEqual([200, expect.any(String)]);
  for (const type of TYPES)
    expect(text).toContain(`"name":"y_${type}","datatype":"${datatypes[type] ?? type.toUpperCase()}","shape":[1],"data":[${data[type]}]`);
});

const ids = { name: "input_ids", datatype: "INT64", shape: [1, 1], data: [7] };
const mask = { ...ids, name: "attention_mask" };
const q = bytes("query", "a");
const refusals: [message: RegExp, model: string, body: object][] = [
  [/^inputs: mixes texts with 'input_ids'/, "sentiment", { inputs: [bytes("text", "x"), ids] }],
  [/^inputs: the input 'attention_mask' is missing/, "sentiment", { inputs: [ids] }],
  [/^inputs\.1\.datatype: must be INT64, not INT32/, "sentiment", { inputs: [ids, { ...mask, datatype: "INT32" }] }],
  [/^inputs\.1\.shape: must be \[-1,-1\]/, "sentiment", { inputs: [ids, { ...mask, shape: [1] }] }],
  [/^inputs\.0\.shape: must hold at least one/, "sentiment", { inputs: [{ ...ids, shape: [1, 0], data: [] }, mask] }],
  [/^inputs\.0\.data\.0: must be an integer that INT64 holds/, "sentiment", { inputs: [{ ...ids, data: [1.5] }, mask] }],
  [/^inputs\.1\.name: 'input_ids' is given twice/, "sentiment", { inputs: [ids, ids] }],
  [/^outputs\.0\.name: must be one of logits/, "sentiment", { inputs: [ids, mask], outputs: [{ name: "scores" }] }],
  [/^outputs\.0\.name: must be one of scores, label/, "sentiment", { inputs: [bytes("text", "x")], outputs: [{ name: "logits" }] }],
  [/^parameters\.task: 'classify' reads texts/, "sentiment", { inputs: [ids, mask], parameters: { task: "classify" } }],
  [/^parameters\.truncate: has no meaning for the task 'forward'/, "sentiment", { inputs: [ids, mask], parameters: { truncate: true } }],
  [/^parameters\.task: must be one of classify, forward/, "sentiment", { inputs: [q], parameters: { task: "rerank" } }],
  [/^parameters\.task: /, "minilm", { inputs: [q], parameters: { task: "translate" } }],
  [/^inputs: the input 'context' is missing/, "answer", { inputs: [bytes("question", "who?")] }],
  [/must hold equally many texts/, "answer", { inputs: [bytes("question", "a"), bytes("context", "b", "c")] }],
  [
    /^inputs: 'query' must hold one text/,
    "minilm",
    { inputs: [bytes("query", "a", "b"), bytes("documents", "c")], parameters: { task: "rerank" } },
  ],
  [
    /^inputs\.1\.data\.1: an input may not be an empty text/,
    "minilm",
    { inputs: [q, bytes("documents", "c", "")], parameters: { task: "rerank" } },
  ],
  [/^parameters\.candidate_labels: is missing/, "nli", { inputs: [bytes("text", "x")], parameters: { task: "zero-shot" } }],
  [/^parameters\.candidate_labels/, "nli", { inputs: [bytes("text", "x")], parameters: { task: "zero-shot", candidate_labels: "[1]" } }],
  [/^parameters\.top_k: has no meaning for the task 'classify'/, "nli", { inputs: [bytes("text", "x")], parameters: { top_k: 2 } }],
  [/^parameters\.top_k/, "fill", { inputs: [bytes("text", "x")], parameters: { top_k: 0 } }],
];

test.each(refusals)("what is refused with %s by %s asks no model and meters nothing", async (message, model, body) => {
  const answer = await post(model, body);

  expect([answer.status, await answer.json()]).toEqual([400, { error: expect.stringMatching(message) }]);
  expect(weir.model.asked).toEqual([]);
  expect(await weir.newRows()).toEqual([]);
});

test("an output that JSON has no word for is refused and not billed, and comes in binary", async () => {
  const answerNan = async () => ({
    body: {
      task: "forward" as const,
      tensors: [{ name: "logits", type: "float32" as const, shape: [1, 1], bytes: Buffer.from("0000c07f", "hex") }],
    },
    ...{ inputTokens: [1], queueMs: 0, runMs: 1 },
  });
  weir.model.next(answerNan);
  weir.model.next(answerNan);

  const json = await post("sentiment", { inputs: [ids, mask] });
  const binary = await post("sentiment", { inputs: [ids, mask], parameters: { binary_data_output: true } });

  expect([json.status, await json.json()]).toEqual([502, { error: expect.stringContaining("ask for binary_data") }]);
  expect(binary.status).toBe(200);
  expect(await weir.newRows()).toHaveLength(1);
});

test("a score that is not a number is never billed, whatever the task", async () => {
  weir.model.next(async () => ({
    body: { task: "tag", items: [[{ label: "X", score: Number.NaN, word: "x", start: 0, end: 1 }]] },
    ...{ inputTokens: [1], queueMs: 0, runMs: 1 },
  }));

  expect((await post("tag", { inputs: [bytes("text", "x")] })).status).toBe(502);
  expect(await weir.newRows()).toEqual([]);
});

test("a version without a graph that we know has one level only", async () => {
  const { graph: _, ...graphless } = CLASSIFY;
  await weir.addVersion("plain", { facts: graphless });

  const named = await post("plain", { inputs: [ids] });
  const asked = await post("plain", { inputs: [ids], parameters: { task: "forward" } });

  expect(await named.json()).toEqual({ error: "inputs.0.name: must be one of text, text_pair" });
  expect(await asked.json()).toEqual({ error: "parameters.task: the bare graph of this version is not known" });
});
