import { setTimeout as sleep } from "node:timers/promises";
import { Failure } from "../../shared/base/failure.ts";
import type { CallLimits, GenerationCall, InferenceClient } from "../../shared/inference/contract.ts";
import type { GenerateEvent } from "../../shared/inference/generation.ts";
import { runModel } from "../harness/model-double.ts";
import type { Random } from "../harness/random.ts";

/** A token of a simulated generation: what a caller has received is counted by it. */
export const TOKEN_TEXT = " w";

/** How a simulated engine is given to work. */
export type Habits = {
  /** Of all generations and requests: those that fail before any output, and in the middle of it. */
  readonly failsBefore: number;
  readonly failsWithin: number;
  /** Of the same: the slow ones. They take up to so long for a whole answer, and for each event of a stream. */
  /** Until a stream begins. */
  readonly beginsMsMax: number;
  readonly slowShare: number;
  readonly slowMsMax: number;
  readonly slowEventMsMax: number;
  /** What it says at most, however much it is asked for. */
  readonly tokensMax: number;
};

/** Slow streams outlive the life of a reservation, so that a checkpoint has to prolong it. */
const HABITS: Habits = {
  failsBefore: 0.04,
  failsWithin: 0.1,
  beginsMsMax: 300,
  slowShare: 0.12,
  slowMsMax: 4_000,
  slowEventMsMax: 2_000,
  tokensMax: 400,
};
export const EVENT_TOKENS_MAX = 12;

/** A model whose answers take time and now and then fail, before their first token or in the middle. */
export function createEngine(random: Random, habits: Partial<Habits> = {}): InferenceClient {
  const engine: Engine = { ...HABITS, ...habits, random };
  const { failsBefore, slowShare, slowMsMax } = engine;
  return {
    async run(request, limits) {
      await sleep(3 + random.below(random.chance(slowShare) ? slowMsMax : 150), undefined, { signal: limits.signal });
      if (random.chance(failsBefore)) throw new Failure("engine_failed", "The engine has failed.");
      return runModel(request);
    },
    generate: (call, limits) => generate(engine, call, limits),
  };
}

type Engine = Habits & { readonly random: Random };

async function* generate(engine: Engine, { body }: GenerationCall, { signal }: CallLimits): AsyncGenerator<GenerateEvent, void> {
  const { random } = engine;
  await sleep(5 + random.below(engine.beginsMsMax), undefined, { signal });
  if (random.chance(engine.failsBefore)) throw new Failure("engine_failed", "The engine has failed.");
  yield { kind: "begun", inputTokens: body.prompts.map(() => 7) };
  const choices = body.prompts.length * body.n;
  const count = 1 + random.below(Math.min(body.maxTokens ?? engine.tokensMax, engine.tokensMax));
  const breaksAt = random.chance(engine.failsWithin) ? random.below(count) : count;
  const paceMs = random.chance(engine.slowShare) ? engine.slowEventMsMax : 60;
  for (let said = 0; said < count; ) {
    const tokens = Math.min(1 + random.below(EVENT_TOKENS_MAX), count - said);
    await sleep(random.below(paceMs), undefined, { signal });
    if (said + tokens > breaksAt) throw new Failure("engine_failed", "The engine has failed.");
    said += tokens;
    for (let choice = 0; choice < choices; choice += 1) yield { kind: "text", choice, tokens, text: TOKEN_TEXT.repeat(tokens) };
  }
  for (let choice = 0; choice < choices; choice += 1) yield { kind: "finished", choice, finish: { reason: "stop" } };
  yield { kind: "done", outputTokens: Array.from({ length: choices }, () => count), queueMs: 1, runMs: 5 * count };
}
