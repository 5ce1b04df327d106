import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ask, finish, type Harness, startGenerator } from "../../../../test/harness/generating.ts";
import { folderOf } from "../../../../test/harness/inference.ts";
import { openSession } from "../../ort/session.ts";
import { readVocabulary } from "../vocabulary.ts";
import { readDecoder } from "./decoder.ts";
import { createLane, resizeLane } from "./lane.ts";
import { logitsAt, runRows } from "./run.ts";
import { argmax } from "./sampling.ts";

const SMOLLM2 = folderOf("cdk/local/models/smollm2-135m-instruct");
const GRAPH = `${SMOLLM2}/onnx/model_q4.onnx`;
const CONFIG = { tokensMax: 8_192, kvHeads: 3, headDim: 64 };
const END = 2;
const NEW_TOKENS = 24;

type Chat = { readonly promptIds: readonly number[] };
const chats: readonly Chat[] = JSON.parse(readFileSync(`${SMOLLM2}/expected.json`, "utf8")).chats;

let harness: Harness;
beforeAll(async () => {
  // Prompts are read whole, as the plain loop reads them: kernels for other numbers of tokens differ in their last bits.
  harness = await startGenerator({ graph: GRAPH, folder: SMOLLM2, config: CONFIG, endTokens: [END], limits: { promptTokensPerStep: 512 } });
});
afterAll(() => harness.close());

test("SmolLM2 in 4 bits answers as a plain greedy loop over the same graph does", { timeout: 60_000 }, async () => {
  const session = await openSession(GRAPH, { threads: 1, provider: "cpu" });
  for (const { promptIds } of chats) {
    const answer = await ask(harness.generator, { id: "chat", prompts: [Int32Array.from(promptIds)], maxTokens: NEW_TOKENS });
    await finish(harness.generator);

    expect(answer.choices[0]?.text).toBe(await plainly(promptIds));
  }
  await session.dispose();

  async function plainly(prompt: readonly number[]): Promise<string> {
    const lane = createLane(readDecoder(session, CONFIG));
    resizeLane(lane, { rows: 1, capacity: prompt.length + NEW_TOKENS });
    lane.rows = 1;
    let [tokens, length] = [Int32Array.from(prompt), 0];
    const drawn: number[] = [];
    while (drawn.length < NEW_TOKENS) {
      const logits = await runRows("packed", { lane, first: 0, lengths: [length], tokens: [tokens], logits: "last" });
      if (logits === undefined) throw new Error("logits were asked for");
      const next = argmax(logitsAt(logits, 0, 1));
      if (next === END) break;
      drawn.push(next);
      length += tokens.length;
      tokens = Int32Array.of(next);
    }
    const vocabulary = readVocabulary(JSON.parse(readFileSync(`${SMOLLM2}/tokenizer.json`, "utf8")));
    return Buffer.concat(drawn.map((token) => vocabulary.bytesOf(token))).toString("utf8");
  }
});

test("it knows the capital of France, among others who ask something else", { timeout: 60_000 }, async () => {
  const answers = [];
  for (const [at, { promptIds }] of chats.entries())
    answers.push(await ask(harness.generator, { id: `${at}`, prompts: [Int32Array.from(promptIds)], maxTokens: NEW_TOKENS }));
  await finish(harness.generator);

  expect(answers[0]?.choices[0]).toMatchObject({ text: expect.stringContaining("Paris"), finish: { reason: "stop" } });
  expect(answers.every((answer) => answer.isDone())).toBe(true);
});
