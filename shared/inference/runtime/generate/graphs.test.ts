import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type DecoderOptions, writeDecoder } from "../../../../test/harness/decoder-graph.ts";
import { ask, finish, type Harness, startGenerator, TINY_GPT2 } from "../../../../test/harness/generating.ts";
import { openDecoderSession } from "../../ort/decoder-session.ts";
import { openSession } from "../../ort/session.ts";
import type { Session } from "../session.ts";
import { readDecoder } from "./decoder.ts";
import { createLane, resizeLane } from "./lane.ts";
import { probeDecoder } from "./probe.ts";
import { logitsAt, runRows } from "./run.ts";
import { argmax } from "./sampling.ts";

const SMALL = { layers: 2, heads: 4, headDim: 16, vocabSize: 1_000, positionsMax: 256, attention: "concat" } as const;
const GRAPHS: Readonly<Record<string, { options: DecoderOptions; mode: string; isPlain?: boolean }>> = {
  "GPT-2's, with position ids": { options: SMALL, mode: "spread" },
  "GPT-2's as it is, without outputs for new tokens": { options: SMALL, mode: "spread", isPlain: true },
  "one with a float16 cache": { options: { ...SMALL, cacheType: "float16" }, mode: "spread" },
  "one that counts positions itself": { options: { ...SMALL, hasPositionIds: false }, mode: "packed" },
  "a merged one with use_cache_branch": { options: { ...SMALL, hasCacheBranch: true }, mode: "spread" },
  "one with num_logits_to_keep": { options: { ...SMALL, hasLogitsToKeep: true }, mode: "spread" },
  "grouped-query attention as it is, which writes in place": {
    options: { ...SMALL, attention: "grouped", kvHeads: 2 },
    mode: "per-row",
    isPlain: true,
  },
  "grouped-query attention": { options: { ...SMALL, attention: "grouped", kvHeads: 2 }, mode: "per-row" },
};
const NEW_TOKENS = 40;
const NO_END = -1;
const REST = { folder: TINY_GPT2, config: { tokensMax: 256 }, limits: { promptTokensPerStep: 16 }, endTokens: [NO_END] } as const;

const folder = mkdtempSync(join(tmpdir(), "weir-decoders-"));
afterAll(() => rmSync(folder, { recursive: true }));

const random = (seed: number, size: number) => Int32Array.from({ length: size }, (_, at) => 1 + ((seed * 7919 + at * 104_729) % 998));

describe.each(Object.entries(GRAPHS))("%s", (name, { options, mode, isPlain = false }) => {
  const graph = join(folder, `${name.replaceAll(/\W/g, "-")}.onnx`);
  let session: Session;
  let harness: Harness;
  beforeAll(async () => {
    writeFileSync(graph, writeDecoder(options));
    session = await (isPlain ? openSession : openDecoderSession)(graph, { threads: 1, provider: "cpu" });
    harness = await startGenerator({ ...REST, graph, session });
  });
  afterAll(() => harness.close());

  test("its way is found", async () => {
    const decoder = readDecoder(session, { tokensMax: 256 });

    expect(await probeDecoder(decoder)).toEqual({ mode, readsPieces: true });
    expect(decoder.picks).toBe(!isPlain);
  });

  test("it continues a prompt as if it read the whole text at every step", async () => {
    const prompt = random(1, 37);

    const { ids } = await answerTo(prompt, {});

    expect(ids).toEqual(await withoutCache(session, prompt));
  });

  test("a row's logits are the same to the last bit alone and in any company", async () => {
    const prompts = [random(1, 37), random(2, 3), random(3, 70), random(4, 64), random(5, 1)];
    const alone: ReturnType<typeof summaryOf>[] = [];
    for (const prompt of prompts) alone.push(await answerTo(prompt, { temperature: 1, seed: 5 }));

    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ which: fc.nat(prompts.length - 1), step: fc.nat(20) }), { minLength: 2, maxLength: 9 }),
        async (all) => {
          const told = [];
          for (let step = 0; step <= 20; step += 1) {
            for (const [at, { which }] of all.entries())
              if (all[at]?.step === step)
                told.push({ which, answer: await start(`${at}`, prompts[which] ?? random(0, 1), { temperature: 1, seed: 5 }) });
            await harness.generator.step();
          }
          await finish(harness.generator);

          for (const { which, answer } of told) expect(summaryOf(answer)).toEqual(alone[which]);
        },
      ),
      { numRuns: 8 },
    );
  });

  const start = (id: string, prompt: Int32Array, sampling: object) =>
    ask(harness.generator, { id, prompts: [prompt], maxTokens: NEW_TOKENS, sampling: { temperature: 0, ...sampling }, topLogprobs: 0 });

  async function answerTo(prompt: Int32Array, sampling: object) {
    const answer = await start("alone", prompt, sampling);
    await finish(harness.generator);
    return summaryOf(answer);
  }
});

describe("a prompt that is read in pieces", () => {
  test.each(["concat", "grouped"] as const)("%s: ends with the logits of reading it whole", async (attention) => {
    const graph = join(folder, `pieces-${attention}.onnx`);
    writeFileSync(graph, writeDecoder({ ...SMALL, attention }));
    const session = await openSession(graph, { threads: 1, provider: "cpu" });
    const mode = attention === "concat" ? "spread" : "per-row";
    const tokens = Int32Array.from({ length: 150 }, (_, at) => 1 + ((at * 31) % 998));

    const whole = await read(session, mode, [tokens]);
    const pieces = await read(session, mode, [
      tokens.subarray(0, 64),
      tokens.subarray(64, 65),
      tokens.subarray(65, 140),
      tokens.subarray(140),
    ]);

    expect(Math.max(...whole.map((value, at) => Math.abs(value - (pieces[at] ?? Number.NaN))))).toBeLessThan(1e-4);
    await session.dispose();
  });
});

describe("a graph that cannot be driven is refused with the reason", () => {
  const tensor = (name: string, type: "int64" | "float32" | "int8", dims: (number | undefined)[]) => ({ name, type, dims });
  const ids = tensor("input_ids", "int64", [undefined, undefined]);
  const past = tensor("past_key_values.0.key", "float32", [undefined, 2, undefined, 8]);
  const present = { ...past, name: "present.0.key" };
  const logits = tensor("logits", "float32", [undefined, undefined, 100]);
  const run = () => Promise.reject(new Error("only its description is read"));

  test.each([
    [[ids], [logits], /no key\/value cache/],
    [[past], [logits, present], /no input named input_ids/],
    [
      [ids, past, tensor("encoder_hidden_states", "float32", [1, 1, 8])],
      [logits, present],
      /does not feed its input encoder_hidden_states of float32/,
    ],
    [[ids, past, tensor("token_type_ids", "int64", [1, 1])], [logits, present], /token_type_ids/],
    [[ids, past], [logits], /no output present.0.key of float32/],
    [[ids, { ...past, type: "int8" as const }], [logits, { ...present, type: "int8" as const }], /is int8, not float32 or float16/],
    [[ids, { ...past, dims: [undefined, undefined, undefined, 8] }], [logits, present], /neither it nor config.json says how large/],
    [[ids, past], [present], /no output named logits/],
  ])("%#", (inputs, outputs, reason) => {
    const session: Session = { inputs, outputs, run, dispose: async () => {} };

    expect(() => readDecoder(session, { tokensMax: 10 })).toThrow(
      expect.objectContaining({ code: "invalid_request", message: expect.stringMatching(reason) }),
    );
  });

  test("what the graph leaves open, config.json says", () => {
    const open = { ...past, dims: [undefined, undefined, undefined, undefined] };
    const session: Session = {
      inputs: [ids, open],
      outputs: [{ ...logits, dims: [undefined, undefined, undefined] }, present],
      run,
      dispose: async () => {},
    };

    const { tensors, vocabSize } = readDecoder(session, { tokensMax: 10, kvHeads: 3, headDim: 16, vocabSize: 7 });

    expect(tensors[0]).toMatchObject({ heads: 3, width: 16, rank: 4 });
    expect(vocabSize).toBe(7);
  });
});

async function read(session: Session, mode: "spread" | "per-row", pieces: readonly Int32Array[]): Promise<Float32Array> {
  const lane = createLane(readDecoder(session, { tokensMax: 256 }));
  resizeLane(lane, { rows: 1, capacity: 192 });
  lane.rows = 1;
  let length = 0;
  let last = new Float32Array();
  for (const tokens of pieces) {
    const logits = await runRows(mode, { lane, first: 0, lengths: [length], tokens: [tokens], logits: "last" });
    if (logits !== undefined) last = logitsAt(logits, 0, 1).slice();
    length += tokens.length;
  }
  return last;
}

/** The plain way, without any cache: reads everything again for each token. */
async function withoutCache(session: Session, prompt: Int32Array): Promise<number[]> {
  const text = [...prompt];
  const decoder = readDecoder(session, { tokensMax: 256 });
  for (let drawn = 0; drawn < NEW_TOKENS; drawn += 1) {
    const lane = createLane(decoder);
    resizeLane(lane, { rows: 1, capacity: 128 });
    lane.rows = 1;
    const logits = await runRows("packed", { lane, first: 0, lengths: [0], tokens: [Int32Array.from(text)], logits: "last" });
    if (logits === undefined) throw new Error("logits were asked for");
    text.push(argmax(logitsAt(logits, 0, 1)));
  }
  return text.slice(prompt.length);
}

function summaryOf({ choices: [choice] }: Awaited<ReturnType<typeof ask>>) {
  return { ids: choice?.logprobs.map(({ token }) => token), logprobs: choice?.logprobs.map(({ logprob }) => logprob), text: choice?.text };
}
