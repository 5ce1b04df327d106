import { describe, expect, test } from "vitest";
import { ask, finish } from "../../../../test/harness/generating.ts";
import { order, PROMPT, start, VERT } from "../../../../test/harness/tiny-gpt2.ts";
import { Failure } from "../../../base/failure.ts";

/** What PyTorch continues it with. */
const GREEDY = [490, 690, 395, 570, 570, 570, 570, 650, 136, 142];

describe("an answer ends", () => {
  test("after so many tokens", async () => {
    const generator = await start();

    const answer = await ask(generator, order({ maxTokens: 4 }));
    await finish(generator);

    expect(answer.choices[0]).toMatchObject({ text: VERT, tokens: 4, finish: { reason: "length" } });
    expect(answer.events[0]).toEqual({ kind: "begun", inputTokens: [10] });
    expect(answer.events.at(-1)).toMatchObject({ kind: "done", outputTokens: [4] });
  });

  test("with the model's end, which is counted and not told", async () => {
    const generator = await start({ endTokens: [650] });

    const answer = await ask(generator, order({ topLogprobs: 0 }));
    await finish(generator);

    expect(answer.choices[0]).toMatchObject({ text: `${VERT}rotocolrotocolrotocol`, tokens: 8, finish: { reason: "stop" } });
    expect(answer.choices[0]?.logprobs.map(({ token }) => token)).toEqual(GREEDY.slice(0, 7));
  });

  test("before a stop text that spans tokens, of which nothing is told", async () => {
    const generator = await start();

    const answer = await ask(generator, order({ stop: ["lroto", "xyz"], topLogprobs: 0 }));
    await finish(generator);

    expect(answer.choices[0]).toMatchObject({ text: "vert\n        i", tokens: 4, finish: { reason: "stop", stopText: "lroto" } });
    expect(answer.choices[0]?.logprobs.map(({ token }) => token)).toEqual(GREEDY.slice(0, 3));
  });

  test("with the context, when no number of tokens is given", async () => {
    const generator = await start();

    const answer = await ask(generator, { id: "one", prompts: [new Int32Array(120).fill(5)] });
    await finish(generator);

    expect(answer.choices[0]).toMatchObject({ tokens: 8, finish: { reason: "length" } });
  });
});

describe("what is told", () => {
  test("rivals of each token, the best first, and the prompt before the answer", async () => {
    const generator = await start();

    const answer = await ask(generator, order({ echo: true, topLogprobs: 2, maxTokens: 1 }));
    await finish(generator);

    const logprobs = answer.choices[0]?.logprobs ?? [];
    expect(answer.choices[0]?.text).toBe("Paris is the capitalvert");
    expect(logprobs).toHaveLength(11);
    expect(logprobs[0]).toMatchObject({ token: 48, text: "P", bytes: [80], logprob: null, top: [] });
    expect(logprobs[10]?.top.map(({ token }) => token)[0]).toBe(490);
    expect(logprobs[10]?.top).toHaveLength(2);
    expect(logprobs[10]?.logprob).toBe(logprobs[10]?.top[0]?.logprob);
    expect(answer.choices[0]?.tokens).toBe(1);
  });

  test("each prompt's choices by their number", async () => {
    const generator = await start();
    const prompts = [PROMPT, Int32Array.of(674, 221, 612)];

    const answer = await ask(generator, order({ prompts, n: 2, maxTokens: 3 }));
    await finish(generator);

    const [first, second, third, fourth] = answer.choices.map(({ text }) => text);
    expect([first, third]).toEqual([second, fourth]);
    expect(first).not.toBe(third);
    expect(answer.events.at(-1)).toMatchObject({ outputTokens: [3, 3, 3, 3] });
  });

  test("a seed's text, which another seed does not give", async () => {
    const generator = await start();
    const texts: (string | undefined)[] = [];
    for (const seed of [11, 11, 12]) {
      const answer = await ask(generator, order({ sampling: { seed } }));
      await finish(generator);
      texts.push(answer.choices[0]?.text);
    }

    expect(texts[0]).toBe(texts[1]);
    expect(texts[0]).not.toBe(texts[2]);
  });
});

describe("a grammar", () => {
  /** Digits, three of them at most; it may end after the first. */
  const digits = (ends = true) => {
    const mask = new Uint32Array(32);
    for (let digit = 16; digit < 26; digit += 1) mask[digit >>> 5] = (mask[digit >>> 5] ?? 0) | (1 << (digit & 31));
    const accepted: number[] = [];
    return {
      accepted,
      allowed: () => (accepted.length < 3 ? mask : new Uint32Array(32)),
      accept: (token: number) => void accepted.push(token),
      isComplete: () => ends && accepted.length > 0,
    };
  };

  test("holds each choice, and the model's end comes only where it may", async () => {
    const generator = await start({ startMatcher: async () => digits() });

    const answer = await ask(generator, order({ n: 2, sampling: { seed: 1 }, format: { kind: "json_object" } }));
    await finish(generator);

    for (const { text, finish: end } of answer.choices) {
      expect(text).toMatch(/^\d{1,3}$/);
      expect(end).toEqual({ reason: "stop" });
    }
  });

  test("that leads nowhere fails its order", async () => {
    const generator = await start({ startMatcher: async () => digits(false) });

    const answer = await ask(generator, order({ format: { kind: "json_object" } }));
    await finish(generator);

    expect(answer.failure()).toMatchObject({ code: "engine_failed", message: expect.stringContaining("grammar") });
  });

  test("that cannot be started refuses the order", async () => {
    const refusal = new Failure("invalid_request", "No such keyword.", { field: "format" });
    const generator = await start({ startMatcher: () => Promise.reject(refusal) });

    await expect(ask(generator, order({ format: { kind: "json_object" } }))).rejects.toBe(refusal);
    expect(generator.stats()).toMatchObject({ waiting: 0, running: 0 });
  });
});
