import { describe, expect, test } from "vitest";
import { ask, finish, type Order, TINY_GPT2 } from "../../../../test/harness/generating.ts";
import { order, PROMPT, start, VERT } from "../../../../test/harness/tiny-gpt2.ts";
import { Failure } from "../../../base/failure.ts";
import { openSession } from "../../ort/session.ts";
import type { Session, Tensor } from "../session.ts";

describe("what goes wrong", () => {
  test("a step that fails ends those who were in it, and nobody after them", async () => {
    const valve = await openValve();
    const generator = await start({ session: valve.session });
    const answer = await ask(generator, order({ n: 2 }));
    await generator.step();

    valve.breaks = () => {
      throw new Failure("engine_failed", "Out of memory.");
    };
    await generator.step();
    valve.breaks = (results) => results;

    expect(answer.failure()).toMatchObject({ code: "engine_failed", message: "Out of memory." });
    expect(generator.stats()).toMatchObject({ running: 0, cacheBytes: 0 });
    const next = await ask(generator, order({ maxTokens: 4 }));
    await finish(generator);
    expect(next.choices[0]?.text).toBe(VERT);
  });

  test("a row whose logits are no numbers ends its own order only, and leaves nothing behind", async () => {
    const valve = await openValve();
    const generator = await start({ session: valve.session });
    const [good, bad] = [await ask(generator, order({ maxTokens: 4 })), await ask(generator, order({ id: "bad" }))];
    await generator.step();

    valve.breaks = (results) => {
      const logits = results["logits"]?.data;
      if (logits instanceof Float32Array) logits.fill(Number.NaN, logits.length / 2);
      return results;
    };
    await generator.step();
    valve.breaks = (results) => results;
    await finish(generator);

    expect(bad.failure()).toMatchObject({ code: "engine_failed", message: expect.stringContaining("not finite") });
    expect(good.choices[0]?.text).toBe(VERT);
  });
});

describe("what is refused", () => {
  test.each<[string, Partial<Order>, string]>([
    ["no prompt", { prompts: [] }, "prompts"],
    ["an empty prompt", { prompts: [PROMPT, new Int32Array()] }, "prompts.1"],
    ["a token that is none", { prompts: [Int32Array.of(1_000)] }, "prompts.0"],
    ["a negative token", { prompts: [Int32Array.of(-1)] }, "prompts.0"],
    ["a prompt longer than the context", { prompts: [new Int32Array(129)] }, "prompts.0"],
    ["more tokens than the context has room for", { maxTokens: 119 }, "maxTokens"],
    ["no new tokens", { maxTokens: 0 }, "maxTokens"],
    ["half a token", { maxTokens: 1.5 }, "maxTokens"],
    ["no choice", { n: 0 }, "n"],
    ["more choices than rows", { n: 17 }, "n"],
    ["more choices than may wait", { prompts: new Array<Int32Array>(65).fill(PROMPT) }, "prompts"],
    [
      "more tokens of all choices than one order may have",
      { prompts: new Array<Int32Array>(8).fill(PROMPT), n: 8, maxTokens: 100 },
      "maxTokens",
    ],
    ["an empty stop text", { stop: [""] }, "stop.0"],
    ["half a character as a stop text", { stop: ["a", "\ud83d"] }, "stop.1"],
    ["too many stop texts", { stop: new Array<string>(17).fill("a") }, "stop"],
    ["too many rivals", { topLogprobs: 21 }, "topLogprobs"],
    ["a temperature out of range", { sampling: { temperature: 3 } }, "temperature"],
  ])("%s is refused and nothing of it stays", async (_, more, field) => {
    const generator = await start({ limits: { orderTokensMax: 1_000 } });

    await expect(ask(generator, order(more))).rejects.toMatchObject({ code: "invalid_request", field });
    expect(generator.stats()).toMatchObject({ running: 0, waiting: 0 });
    expect(await generator.step()).toBe(false);
  });

  test("a prompt that fills the context leaves no room, and may only be echoed", async () => {
    const generator = await start();
    const full = { id: "full", prompts: [new Int32Array(128).fill(3)] };

    await expect(ask(generator, full)).rejects.toMatchObject({ code: "invalid_request", field: "prompts" });
    const echoed = await ask(generator, { ...full, echo: true });
    await finish(generator);
    expect(echoed.choices[0]).toMatchObject({ tokens: 0, text: "#".repeat(128) });
  });

  test("an order whose caches could never fit is refused, one for which there is no room to wait is told to come again", async () => {
    const generator = await start({ limits: { cacheBytesMax: 768 * 128, rowsMax: 2, waitingChoicesMax: 2 } });

    await expect(ask(generator, order({ n: 2, maxTokens: 100 }))).rejects.toMatchObject({ code: "invalid_request", field: "maxTokens" });
    await ask(generator, order({ id: "a" }));
    await ask(generator, order({ id: "b" }));
    await expect(ask(generator, order({ id: "c" }))).rejects.toMatchObject({ code: "overloaded", retryAfterMs: expect.any(Number) });
    await finish(generator);
    await ask(generator, order({ id: "c" }));
  });
});

type Results = Readonly<Record<string, Tensor>>;
type Valve = { breaks: (results: Results) => Results; readonly session: Session };

/** A real session whose results can be spoilt. */
async function openValve(): Promise<Valve> {
  const inner = await openSession(`${TINY_GPT2}/onnx/model.onnx`, { threads: 1, provider: "cpu" });
  const valve: Valve = {
    breaks: (results) => results,
    session: { ...inner, run: async (feeds, fetches) => valve.breaks(await inner.run(feeds, fetches)) },
  };
  return valve;
}
