import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Failure } from "../../shared/base/failure.ts";
import type { GenerateEvent } from "../../shared/inference/generation.ts";
import { writeDecoder } from "../harness/decoder-graph.ts";
import { type Answer, ask, finish, type Harness, startGenerator, TINY_GPT2 } from "../harness/generating.ts";
import { folderOf } from "../harness/inference.ts";
import { median } from "./load.ts";
import { type BareDecoder, type BareOptions, startBareDecoder } from "./parts/bare-decoder.ts";

const ONE_BAR = 0.85;
const EIGHT_BAR = 2;
const FIRST_TOKEN_BAR = 5;
const ROUNDS = 5;
const PROMPT_TOKENS = 32;
const NEW_TOKENS = 64;
const ROWS = 8;
/** As many as the others' longest answers allow; and so often, since of a hundred the 99th percentile is one outlier of the machine. */
const NEWCOMERS = 100;
const CROWDS = 3;
/** Steps between two newcomers under load: the last one has gone by then. */
const STEPS_BETWEEN = 2;
const NO_END = -1;
/** A common one in both vocabularies; which one makes no difference to the time. */
const TOKEN_ID = 265;

const SMOLLM2 = folderOf("cdk/local/models/smollm2-135m-instruct");
/** The GPT-2 fixture, with 6 layers of 384 in the place of 2 of 48. */
const GPT2 = { layers: 6, heads: 6, headDim: 64, vocabSize: 1_000, positionsMax: 1_024, attention: "concat" } as const;

type Subject = { readonly name: string; readonly folder: string; readonly tokensMax: number; readonly bare: BareOptions };

/** One decoder's generator, in this process on one thread, against a bare greedy loop; eight sequences against one; a newcomer among seven against one alone. */
export async function benchGeneration(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "weir-bench-"));
  try {
    const graph = join(folder, "gpt2.onnx");
    writeFileSync(graph, writeDecoder(GPT2));
    const gpt2 = { graph, heads: GPT2.heads, width: GPT2.headDim, cache: "fed-back", hasPositionIds: true } as const;
    const smollm2 = { graph: `${SMOLLM2}/onnx/model_q4.onnx`, heads: 3, width: 64, cache: "in-place", hasPositionIds: false } as const;
    await measure({ name: "gpt2", folder: TINY_GPT2, tokensMax: GPT2.positionsMax, bare: gpt2 });
    await measure({ name: "smollm2", folder: SMOLLM2, tokensMax: 8_192, bare: smollm2 });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function measure(subject: Subject): Promise<void> {
  const { graph, heads, width } = subject.bare;
  const config = { tokensMax: subject.tokensMax, kvHeads: heads, headDim: width };
  const limits = { promptTokensPerStep: PROMPT_TOKENS, cacheBytesMax: 1024 ** 3 };
  const bare = await startBareDecoder(subject.bare);
  const weir = await startGenerator({ graph, folder: subject.folder, config, limits, endTokens: [NO_END] });
  try {
    await measureThroughput(subject.name, bare, weir);
    await measureFirstToken(subject.name, weir);
  } finally {
    await bare.close();
    await weir.close();
  }
}

async function measureThroughput(name: string, bare: BareDecoder, weir: Harness): Promise<void> {
  const samples: { bare: number; one: number; eight: number }[] = [];
  // The first round warms up.
  for (let round = 0; round <= ROUNDS; round += 1) {
    const sample = {
      bare: NEW_TOKENS / (await secondsOf(() => bare.generate(promptOf(round), NEW_TOKENS))),
      one: NEW_TOKENS / (await secondsOf(() => generate(weir, round, 1))),
      eight: (ROWS * NEW_TOKENS) / (await secondsOf(() => generate(weir, round, ROWS))),
    };
    if (round > 0) samples.push(sample);
  }
  const row = (of: (sample: (typeof samples)[number]) => number) => Number(median(samples.map(of)).toFixed(1));
  console.log(
    `${name}, 1 thread, ${PROMPT_TOKENS} tokens of prompt and ${NEW_TOKENS} new ones; new tokens/s, reading the prompt included:`,
  );
  console.table({
    "bare loop": row(({ bare }) => bare),
    "weir, 1 sequence": row(({ one }) => one),
    [`weir, ${ROWS} sequences`]: row(({ eight }) => eight),
  });
  const [one, eight] = [median(samples.map((each) => each.one / each.bare)), median(samples.map((each) => each.eight / each.one))];
  console.log(`bench generation-one-${name} ratio=${one.toFixed(2)} bar=${ONE_BAR}`);
  console.log(`bench generation-eight-${name} ratio=${eight.toFixed(2)} bar=${EIGHT_BAR}`);
}

/**
 * From the moment at which a newcomer comes to its first token, alone and while seven others run; under load it comes somewhere in the middle of a step, spread
 * evenly, and waits for its end. The ratio is the 99th percentile's over the idle median: at most the bar.
 */
async function measureFirstToken(name: string, weir: Harness): Promise<void> {
  const idleMs: number[] = [];
  const loadedMs: number[] = [];
  for (let crowd = 0; crowd < CROWDS; crowd += 1) {
    for (let at = 0; at < NEWCOMERS; at += 1) idleMs.push(await firstTokenMs(weir, `idle-${at}`, at / NEWCOMERS));
    loadedMs.push(...(await firstTokensBesideOthers(weir)));
  }
  const worst = percentile(loadedMs, 0.99);
  console.log(
    `${name}, first token in ms: idle p50 ${median(idleMs).toFixed(0)}, p99 ${percentile(idleMs, 0.99).toFixed(0)}; beside ${ROWS - 1}: p50 ${median(loadedMs).toFixed(0)}, p99 ${worst.toFixed(0)}`,
  );
  console.log(`bench generation-first-token-${name} ratio=${(worst / median(idleMs)).toFixed(2)} bar=${FIRST_TOKEN_BAR} (at most)`);
}

/** The others run from before the first newcomer until after the last. */
async function firstTokensBesideOthers(weir: Harness): Promise<number[]> {
  const loadedMs: number[] = [];
  const runners = await startRunners(weir);
  for (let at = 0; at < NEWCOMERS; at += 1) {
    loadedMs.push(await firstTokenMs(weir, `loaded-${at}`, at / NEWCOMERS));
    for (let step = 0; step < STEPS_BETWEEN; step += 1) await weir.generator.step();
  }
  const left = runners.filter((runner) => !runner.isDone()).length;
  if (left !== ROWS - 1) throw new Error(`${ROWS - 1} sequences are to run all the time, ${left} did`);
  for (const at of runners.keys()) weir.generator.cancel(`runner-${at}`);
  await finish(weir.generator);
  return loadedMs;
}

/** Told as soon as it is drawn, before the others' tokens of the same step. `share` is how much of the step that runs when it comes is over. */
async function firstTokenMs({ generator }: Harness, id: string, share: number): Promise<number> {
  const stepAtMs = performance.now();
  await generator.step();
  const cameAtMs = stepAtMs + share * (performance.now() - stepAtMs);
  let firstAtMs: number | undefined;
  let isDone = false;
  const event = ({ kind }: GenerateEvent) => {
    if (kind === "text") firstAtMs ??= performance.now();
    isDone ||= kind === "done";
  };
  const fail = (failure: Failure) => {
    throw failure;
  };
  await generator.add({ id, prompts: [promptOf(3)], n: 1, maxTokens: 1, sampling: { temperature: 0 }, stop: [] }, { event, fail });
  while (!isDone) await generator.step();
  if (firstAtMs === undefined) throw new Error("a newcomer ended without a token");
  return firstAtMs - cameAtMs;
}

/** They outlast the newcomers: each of those takes a step to be read and some to wait. */
async function startRunners(weir: Harness): Promise<Answer[]> {
  const runners: Answer[] = [];
  for (let at = 0; at < ROWS - 1; at += 1)
    runners.push(await order(weir, `runner-${at}`, { seed: at, newTokens: NEWCOMERS * (STEPS_BETWEEN + 4) }));
  for (let step = 0; step < ROWS; step += 1) await weir.generator.step();
  return runners;
}

async function generate(weir: Harness, seed: number, rows: number): Promise<void> {
  for (let at = 0; at < rows; at += 1) await order(weir, `${at}`, { seed: seed + at, newTokens: NEW_TOKENS });
  await finish(weir.generator);
}

const order = ({ generator }: Harness, id: string, { seed, newTokens }: { seed: number; newTokens: number }) =>
  ask(generator, { id, prompts: [promptOf(seed)], maxTokens: newTokens });

const promptOf = (seed: number) => Int32Array.from({ length: PROMPT_TOKENS }, (_, at) => TOKEN_ID + ((seed * 31 + at * 7) % 500));

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const startedAtMs = performance.now();
  await work();
  return (performance.now() - startedAtMs) / 1_000;
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
