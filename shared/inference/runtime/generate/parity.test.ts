import { readFileSync } from "node:fs";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answer, ask, finish, type Harness, startTinyGpt2, TINY_GPT2 } from "../../../../test/harness/generating.ts";

const TOLERANCE = 1e-4;
const NEW_TOKENS = 24;
const PENALTY = 1.3;

/** transformers' answers: see the fixture's `reference`. */
type Case = {
  readonly prompt: string;
  readonly input_ids: readonly number[];
  readonly prompt_logprobs: readonly number[];
  readonly greedy_ids: readonly number[];
  readonly greedy_text: string;
  readonly greedy_logprobs: readonly number[];
  readonly "greedy_ids_repetition_penalty_1.3": readonly number[];
  readonly "greedy_text_repetition_penalty_1.3": string;
};
const cases: readonly Case[] = JSON.parse(readFileSync(`${TINY_GPT2}/expected.json`, "utf8")).cases;

let harness: Harness;
beforeAll(async () => {
  harness = await startTinyGpt2({ limits: { promptTokensPerStep: 16 } });
});
afterAll(() => harness.close());

describe.each(cases)("$prompt is continued as PyTorch does", (one) => {
  test("alone: ids, text, log-probabilities", async () => {
    const answer = await ask(harness.generator, { id: "alone", ...orderOf(one) });
    await finish(harness.generator);

    expectGreedy(answer, one);
    expect(answer.isDone()).toBe(true);
  });

  test("with a repetition penalty", async () => {
    const answer = await ask(harness.generator, { id: "penalty", ...orderOf(one, PENALTY) });
    await finish(harness.generator);

    expectPenalised(answer, one);
  });

  test("with its prompt's log-probabilities", async () => {
    const answer = await ask(harness.generator, { id: "echo", ...orderOf(one), echo: true, maxTokens: 0 });
    await finish(harness.generator);

    expect(answer.choices[0]?.text).toBe(one.prompt);
    const [first, ...others] = answer.choices[0]?.logprobs ?? [];
    expect(first?.logprob).toBeNull();
    expectClose(
      others.map(({ logprob }) => logprob),
      one.prompt_logprobs,
    );
  });
});

test("among neighbours that join and leave at random steps, every answer stays what it is alone", { timeout: 60_000 }, async () => {
  const arrivals = fc.array(
    fc.record({ which: fc.nat(cases.length - 1), step: fc.nat(30), isPenalised: fc.boolean(), isLeaving: fc.boolean() }),
    {
      minLength: 2,
      maxLength: 14,
    },
  );

  await fc.assert(
    fc.asyncProperty(arrivals, async (all) => {
      const told: { answer: Answer; one: Case; isPenalised: boolean }[] = [];
      for (let step = 0; step <= 30; step += 1) {
        for (const [at, arrival] of all.entries()) {
          const one = cases[arrival.which];
          if (arrival.step !== step || one === undefined) continue;
          const answer = await ask(harness.generator, { id: `company-${at}`, ...orderOf(one, arrival.isPenalised ? PENALTY : 1) });
          if (!arrival.isLeaving) told.push({ answer, one, isPenalised: arrival.isPenalised });
        }
        await harness.generator.step();
        for (const [at, arrival] of all.entries())
          if (arrival.isLeaving && arrival.step + 5 === step) harness.generator.cancel(`company-${at}`);
      }
      await finish(harness.generator);

      for (const { answer, one, isPenalised } of told) (isPenalised ? expectPenalised : expectGreedy)(answer, one);
      expect(harness.generator.stats()).toMatchObject({ running: 0, waiting: 0, cacheBytes: 0, reservedBytes: 0 });
    }),
    { numRuns: 25 },
  );
});

function orderOf(one: Case, repetitionPenalty = 1) {
  return {
    prompts: [Int32Array.from(one.input_ids)],
    maxTokens: NEW_TOKENS,
    sampling: { temperature: 0, repetitionPenalty },
    topLogprobs: 0,
  };
}

function expectGreedy({ choices: [choice] }: Answer, one: Case): void {
  expect(choice?.logprobs.map(({ token }) => token)).toEqual(one.greedy_ids);
  expect(choice?.text).toBe(one.greedy_text);
  expect(choice?.finish).toEqual({ reason: "length" });
  expect(choice?.tokens).toBe(one.greedy_ids.length);
  expectClose(choice?.logprobs.map(({ logprob }) => logprob) ?? [], one.greedy_logprobs);
}

function expectPenalised({ choices: [choice] }: Answer, one: Case): void {
  expect(choice?.logprobs.map(({ token }) => token)).toEqual(one["greedy_ids_repetition_penalty_1.3"]);
  expect(choice?.text).toBe(one["greedy_text_repetition_penalty_1.3"]);
}

function expectClose(values: readonly (number | null)[], expected: readonly number[]): void {
  expect(values.length).toBe(expected.length);
  for (const [at, value] of values.entries())
    expect(Math.abs((value ?? Number.NaN) - (expected[at] ?? Number.NaN))).toBeLessThan(TOLERANCE);
}
