import { readFileSync } from "node:fs";
import type { GenerateEvent, TokenLogprob } from "../../shared/inference/generation.ts";
import { openDecoderSession } from "../../shared/inference/ort/decoder-session.ts";
import type { DecoderConfig } from "../../shared/inference/runtime/generate/decoder.ts";
import {
  createGenerator,
  type Generator,
  type GeneratorLimits,
  type GeneratorOptions,
} from "../../shared/inference/runtime/generate/generator.ts";
import type { GenerateOrder } from "../../shared/inference/runtime/generate/order.ts";
import { readVocabulary } from "../../shared/inference/runtime/vocabulary.ts";
import { folderOf } from "./inference.ts";

const LIMITS: GeneratorLimits = {
  rowsMax: 16,
  cacheBytesMax: 256 * 1024 ** 2,
  waitingChoicesMax: 64,
  orderTokensMax: 16_384,
  promptTokensPerStep: 64,
};

/** What one choice said, put together. */
export type Said = {
  text: string;
  tokens: number;
  logprobs: TokenLogprob[];
  finish?: Extract<GenerateEvent, { kind: "finished" }>["finish"];
};

export type Harness = { readonly generator: Generator; readonly close: () => Promise<void> };
export type HarnessOptions = {
  readonly graph: string;
  /** The folder of tokenizer.json. */
  readonly folder: string;
  readonly config: DecoderConfig;
  readonly endTokens?: readonly number[];
  readonly limits?: Partial<GeneratorLimits>;
} & Partial<Pick<GeneratorOptions, "isBatched" | "startMatcher" | "clock" | "nextSeed" | "session">>;

export const TINY_GPT2 = folderOf("test/fixtures/models/tiny-gpt2");

/** A generator over a real session, driven by whoever calls `step`. */
export async function startGenerator(options: HarnessOptions): Promise<Harness> {
  const session = options.session ?? (await openDecoderSession(options.graph, { threads: 1, provider: "cpu" }));
  let seed = 0;
  const generator = await createGenerator({
    session,
    config: options.config,
    vocabulary: readVocabulary(JSON.parse(readFileSync(`${options.folder}/tokenizer.json`, "utf8"))),
    endTokens: options.endTokens ?? [0],
    defaults: {},
    isBatched: options.isBatched ?? true,
    limits: { ...LIMITS, ...options.limits },
    clock: options.clock ?? { nowMs: () => performance.now() },
    nextSeed: options.nextSeed ?? (() => seed++),
    startMatcher:
      options.startMatcher ??
      (() => {
        throw new Error("this test has no grammar");
      }),
  });
  return { generator, close: () => session.dispose() };
}

export function startTinyGpt2(more: Partial<HarnessOptions> = {}): Promise<Harness> {
  return startGenerator({ graph: `${TINY_GPT2}/onnx/model.onnx`, folder: TINY_GPT2, config: { tokensMax: 128 }, ...more });
}

export type Order = Pick<GenerateOrder, "id" | "prompts"> & Partial<GenerateOrder>;
export type Answer = {
  readonly choices: Said[];
  readonly events: readonly GenerateEvent[];
  readonly failure: () => Error | undefined;
  readonly isDone: () => boolean;
};

/** Adds an order and collects what it is told. */
export async function ask(generator: Generator, order: Order): Promise<Answer> {
  const events: GenerateEvent[] = [];
  const n = order.n ?? 1;
  const choices = Array.from({ length: order.prompts.length * n }, (): Said => ({ text: "", tokens: 0, logprobs: [] }));
  let failed: Error | undefined;
  const collect = (event: GenerateEvent) => {
    events.push(event);
    const choice = "choice" in event ? choices[event.choice] : undefined;
    if (choice === undefined) return;
    if (event.kind === "finished") choice.finish = event.finish;
    if (event.kind !== "text") return;
    choice.text += event.text;
    choice.tokens += event.tokens;
    choice.logprobs.push(...(event.logprobs ?? []));
  };
  await generator.add(
    { sampling: { temperature: 0 }, stop: [], ...order, n },
    {
      event: collect,
      fail: (failure) => {
        failed = failure;
      },
    },
  );
  return { choices, events, failure: () => failed, isDone: () => events.at(-1)?.kind === "done" };
}

const STEPS_MAX = 10_000;

/** Steps until nothing is left to do. */
export async function finish(generator: Generator): Promise<void> {
  for (let step = 0; step < STEPS_MAX; step += 1) if (!(await generator.step())) return;
  throw new Error(`a generator ends within ${STEPS_MAX} steps`);
}
