import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ask, finish, startTinyGpt2 } from "../../../../test/harness/generating.ts";
import { order, PROMPT, start } from "../../../../test/harness/tiny-gpt2.ts";

describe("company", () => {
  test("a newcomer's long prompt is read between the steps of those who run", async () => {
    const generator = await start({ limits: { promptTokensPerStep: 16 } });
    const runner = await ask(generator, order({ maxTokens: 30 }));
    await generator.step();
    await ask(generator, { id: "long", prompts: [new Int32Array(90).fill(7)], maxTokens: 1 });

    const seen: { prompt: number; drawn: number }[] = [];
    for (let step = 0; step < 7; step += 1) {
      const before = generator.stats();
      await generator.step();
      seen.push({ prompt: generator.stats().promptTokens - before.promptTokens, drawn: runner.choices[0]?.tokens ?? 0 });
    }

    expect(seen.map(({ prompt }) => prompt)).toEqual([16, 16, 16, 16, 16, 10, 0]);
    expect(seen.at(-1)?.drawn).toBeGreaterThan((seen[0]?.drawn ?? 0) + 4);
  });

  test("who leaves gives back the row at the next step", async () => {
    const generator = await start();
    const answer = await ask(generator, order({ n: 3, maxTokens: 100 }));
    await ask(generator, order({ id: "other", maxTokens: 100 }));
    await generator.step();
    expect(generator.stats().running).toBe(4);

    generator.cancel("one");
    const told = answer.events.length;
    await generator.step();

    expect(generator.stats().running).toBe(1);
    expect(answer.events.length).toBe(told);
    generator.cancel("other");
    generator.cancel("nobody");
    expect(await generator.step()).toBe(false);
    expect(generator.stats()).toMatchObject({ running: 0, cacheBytes: 0 });
  });

  test("whose time is over is told so, waiting or running", async () => {
    let nowMs = 0;
    const generator = await start({ clock: { nowMs: () => nowMs }, limits: { rowsMax: 1 } });
    const running = await ask(generator, order({ deadlineAtMs: 10, maxTokens: 100 }));
    const waiting = await ask(generator, order({ id: "two", deadlineAtMs: 10 }));
    await generator.step();

    nowMs = 10;
    expect(await generator.step()).toBe(false);

    expect(running.failure()).toMatchObject({ code: "timeout" });
    expect(waiting.failure()).toMatchObject({ code: "timeout" });
  });
});

describe("the end of its time", () => {
  const startAt = async (limits: { rowsMax: number }) => {
    const clock = { atMs: 0 };
    return { clock, generator: await start({ clock: { nowMs: () => clock.atMs }, limits }) };
  };

  test("ends an order with what it has said, each of its choices, and gives back its rows", async () => {
    const { clock, generator } = await startAt({ rowsMax: 3 });
    const answer = await ask(generator, order({ n: 2, maxTokens: 100, withinMs: 10, deadlineAtMs: 20 }));
    const other = await ask(generator, order({ id: "other", maxTokens: 100 }));
    for (let step = 0; step < 5; step += 1) await generator.step();

    clock.atMs = 10;
    await generator.step();

    expect(answer.isDone()).toBe(true);
    expect(answer.choices.map(({ finish }) => finish)).toEqual([{ reason: "length" }, { reason: "length" }]);
    for (const { tokens, text } of answer.choices) expect([tokens > 2, text.length > 0]).toEqual([true, true]);
    const told = answer.events.at(-1);
    expect(told).toMatchObject({ kind: "done", outputTokens: answer.choices.map(({ tokens }) => tokens) });
    expect(generator.stats().running).toBe(1);
    expect(other.isDone()).toBe(false);
  });

  test("leaves empty those of its choices that never got their turn", async () => {
    const { clock, generator } = await startAt({ rowsMax: 1 });
    const answer = await ask(generator, order({ prompts: [PROMPT, PROMPT], maxTokens: 100, withinMs: 10 }));
    for (let step = 0; step < 3; step += 1) await generator.step();

    clock.atMs = 10;
    expect(await generator.step()).toBe(false);

    expect(answer.isDone()).toBe(true);
    expect(answer.choices[1]).toMatchObject({ text: "", tokens: 0, finish: { reason: "length" } });
    expect(generator.stats()).toMatchObject({ running: 0, waiting: 0, cacheBytes: 0 });
  });

  test("is no end of an order that has said nothing: it has until its deadline", async () => {
    const { clock, generator } = await startAt({ rowsMax: 1 });
    await ask(generator, order({ maxTokens: 100 }));
    const waiting = await ask(generator, order({ id: "two", withinMs: 10, deadlineAtMs: 20 }));
    await generator.step();

    clock.atMs = 10;
    await generator.step();
    expect([waiting.isDone(), waiting.failure()]).toEqual([false, undefined]);
    clock.atMs = 20;
    await generator.step();

    expect(waiting.failure()).toMatchObject({ code: "timeout" });
    generator.cancel("one");
    await generator.step();
  });
});

describe("memory", () => {
  test("several answers to one prompt read it once", async () => {
    const generator = await start();
    const before = generator.stats().promptTokens;
    const answer = await ask(generator, {
      id: "n",
      prompts: [PROMPT],
      n: 3,
      maxTokens: 12,
      sampling: { seed: 3 },
      topLogprobs: 0,
    });
    await finish(generator);

    expect(generator.stats().promptTokens - before).toBe(10);
    expect(answer.choices.map(({ tokens }) => tokens)).toEqual([12, 12, 12]);
    const ids = answer.choices.map(({ logprobs }) => logprobs.map(({ token }) => token).join());
    expect(new Set(ids).size).toBe(3);
    const again = await ask(generator, { id: "n", prompts: [PROMPT], maxTokens: 12, sampling: { seed: 3 }, topLogprobs: 0 });
    await finish(generator);
    expect(again.choices[0]?.logprobs).toEqual(answer.choices[0]?.logprobs);
  });

  test("caches stay within their bytes, and everybody is answered in the end", async () => {
    // Three rows of 64 or two of 128 places, at 768 bytes a token.
    const cacheBytesMax = 768 * 256;
    const orders = fc.array(
      fc.record({ size: fc.integer({ min: 1, max: 60 }), maxTokens: fc.integer({ min: 1, max: 60 }), n: fc.integer({ min: 1, max: 2 }) }),
      {
        minLength: 1,
        maxLength: 8,
      },
    );

    await fc.assert(
      fc.asyncProperty(orders, async (all) => {
        const { generator, close } = await startTinyGpt2({ limits: { cacheBytesMax, promptTokensPerStep: 32 } });
        const answers = [];
        for (const [at, { size, maxTokens, n }] of all.entries())
          answers.push(
            await ask(generator, { id: `${at}`, prompts: [new Int32Array(size).fill(9)], maxTokens, n, sampling: { temperature: 1 } }),
          );
        for (let isBusy = true; isBusy; ) {
          isBusy = await generator.step();
          expect(generator.stats().cacheBytes).toBeLessThanOrEqual(cacheBytesMax);
          expect(generator.stats().reservedBytes).toBeLessThanOrEqual(cacheBytesMax);
        }

        expect(answers.every((answer) => answer.isDone())).toBe(true);
        await close();
      }),
      { numRuns: 15 },
    );
  });
});
