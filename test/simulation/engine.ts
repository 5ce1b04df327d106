import { setTimeout as sleep } from "node:timers/promises";
import { Failure } from "../../shared/base/failure.ts";
import type { CallLimits, GenerationCall, InferenceClient } from "../../shared/inference/contract.ts";
import type { GenerateEvent } from "../../shared/inference/generation.ts";
import { runModel } from "../harness/model-double.ts";
import type { Random } from "../harness/random.ts";

/** A token of a simulated generation: what a caller has received is counted by it. */
export const TOKEN_TEXT = " w";

const FAILS = { before: 0.04, within: 0.1 };
const TOKENS_MAX = 400;
export const EVENT_TOKENS_MAX = 12;

/** A model whose answers take time and now and then fail, before their first token or in the middle. */
export function createEngine(random: Random): InferenceClient {
  return {
    async run(request, limits) {
      await sleep(3 + random.below(random.chance(0.1) ? 4_000 : 150), undefined, { signal: limits.signal });
      if (random.chance(FAILS.before)) throw new Failure("engine_failed", "The engine has failed.");
      return runModel(request);
    },
    generate: (call, limits) => generate(random, call, limits),
  };
}

async function* generate(random: Random, { body }: GenerationCall, { signal }: CallLimits): AsyncGenerator<GenerateEvent, void> {
  await sleep(5 + random.below(300), undefined, { signal });
  if (random.chance(FAILS.before)) throw new Failure("engine_failed", "The engine has failed.");
  yield { kind: "begun", inputTokens: body.prompts.map(() => 7) };
  const choices = body.prompts.length * body.n;
  const count = 1 + random.below(Math.min(body.maxTokens ?? TOKENS_MAX, TOKENS_MAX));
  const breaksAt = random.chance(FAILS.within) ? random.below(count) : count;
  // Slow ones outlive the life of a reservation, so that a checkpoint has to prolong it.
  const paceMs = random.chance(0.15) ? 2_000 : 60;
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
