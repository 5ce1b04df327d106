import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Sampling } from "../../generation.ts";
import { createRandom } from "./random.ts";
import { adjustLogits, argmax, drawToken, resolveSampling } from "./sampling.ts";

const VOCABULARY = 5;
const LOGITS = [2, 1, 0, -1, -2];
/** exp(logit) over their sum, 11.6095...: 0.63641, 0.23412, 0.08613, 0.03168, 0.01166. */
const SHARES = [0.6364, 0.2341, 0.0861, 0.0317, 0.0117];
const nothing = { seen: new Set<number>(), counts: new Map<number, number>() };

const rulesOf = (sampling: Sampling) => resolveSampling(sampling, {}, VOCABULARY);
const adjusted = (sampling: Sampling, said = nothing) => [...adjustLogits(Float32Array.from(LOGITS), rulesOf(sampling), said)];

describe("scores", () => {
  test("a bias is added to its token", () => {
    expect(adjusted({ logitBias: { "1": 3, "4": -100 } })).toEqual([2, 4, 0, -1, -102]);
  });

  test("a repetition penalty divides what is above 0 and multiplies what is below, once however often a token came", () => {
    expect(adjusted({ repetitionPenalty: 2 }, { seen: new Set([0, 2, 4]), counts: new Map([[4, 3]]) })).toEqual([1, 1, 0, -1, -4]);
  });

  test("presence counts once, frequency each time, and the prompt not at all", () => {
    const said = {
      seen: new Set([0, 1, 3]),
      counts: new Map([
        [1, 1],
        [3, 2],
      ]),
    };

    expect(adjusted({ presencePenalty: 0.5, frequencyPenalty: 0.25 }, said)).toEqual([2, 0.25, 0, -2, -2]);
  });

  test("a bias comes before the repetition penalty", () => {
    expect(adjusted({ logitBias: { "2": 4 }, repetitionPenalty: 2 }, { seen: new Set([2]), counts: new Map() })[2]).toBe(2);
  });

  test("a mask leaves only what it allows", () => {
    const scores = adjustLogits(Float32Array.from(LOGITS), rulesOf({}), nothing, Uint32Array.of(0b01010));

    expect([...scores]).toEqual([-Infinity, 1, -Infinity, -1, -Infinity]);
  });

  test("a mask's words follow each other by 32 tokens", () => {
    const scores = adjustLogits(new Float32Array(70).fill(1), rulesOf({}), nothing, Int32Array.of(0, -(2 ** 31), 1 << 5));

    expect([...scores].flatMap((score, token) => (score === 1 ? [token] : []))).toEqual([63, 69]);
  });
});

describe("draws", () => {
  test("temperature 0 takes the first of the likeliest and asks for no random number", () => {
    const never = () => {
      throw new Error("greedy is not random");
    };

    expect(drawToken(Float32Array.of(1, 3, 3, 0), rulesOf({ temperature: 0 }), never)).toBe(1);
    expect(drawToken(Float32Array.of(1, 3, 3, 0), rulesOf({ topK: 1 }), never)).toBe(1);
  });

  test.each([
    ["everything", {}, SHARES],
    // exp(logit / 2): 2.718, 1.649, 1, 0.607, 0.368.
    ["temperature 2", { temperature: 2 }, [0.4287, 0.26, 0.1577, 0.0956, 0.058]],
    ["top_k 2", { topK: 2 }, [0.7311, 0.2689, 0, 0, 0]],
    // 0.6364 + 0.2341 reach 0.8, so the third is out; 0.6364 alone does not.
    ["top_p 0.8", { topP: 0.8 }, [0.7311, 0.2689, 0, 0, 0]],
    ["top_p 0.6", { topP: 0.6 }, [1, 0, 0, 0, 0]],
    ["top_p 0", { topP: 0 }, [1, 0, 0, 0, 0]],
    // A tenth of the likeliest's: exp(-2) = 0.135 is in, exp(-3) = 0.0498 is not.
    ["min_p 0.1", { minP: 0.1 }, [0.6652, 0.2447, 0.09, 0, 0]],
    // top_p counts among what top_k left: 0.6652 of the three do not reach 0.7.
    ["top_k 3 and top_p 0.7", { topK: 3, topP: 0.7 }, [0.7311, 0.2689, 0, 0, 0]],
  ])("%s", (_, sampling, shares) => {
    expect(sharesOf(LOGITS, sampling).map((share) => Number(share.toFixed(3)))).toEqual(shares.map((share) => Number(share.toFixed(3))));
  });

  test("top_k keeps all that tie with the last", () => {
    expect(sharesOf([1, 0, 0, -1], { topK: 2 }).map((share) => share > 0)).toEqual([true, true, true, false]);
  });

  test("what is masked is never drawn", () => {
    expect(sharesOf([-Infinity, 0, -Infinity, 0], {})).toEqual([0, 0.5, 0, 0.5]);
  });

  test("top_p keeps as few as it can, and enough, whatever the logits", () => {
    const logits = fc.array(fc.double({ min: -60, max: 60, noNaN: true }), { minLength: 1, maxLength: 40 });

    fc.assert(
      fc.property(logits, fc.double({ min: 0.01, max: 0.99, noNaN: true }), (values, topP) => {
        const row = Float32Array.from(values);
        const all = [...row].map((value) => Math.exp(value - Math.max(...row)));
        const total = all.reduce((sum, weight) => sum + weight, 0);
        const sorted = [...all].sort((a, b) => b - a);
        let [count, sum] = [0, 0];
        while (sum < topP * total) sum += sorted[count++] ?? 0;

        // The very last of random numbers draws the last token that is kept.
        const drawn = new Set(
          Array.from({ length: 400 }, (_, at) => drawToken(row.slice(), rulesFor(values.length, { topP }), () => at / 400)),
        );

        const least = sorted[count - 1] ?? 0;
        for (const token of drawn) expect(all[token]).toBeGreaterThanOrEqual(least);
      }),
    );
  });
});

describe("random numbers", () => {
  test("are the same for the same seed and choice, and others for others", () => {
    const first = (seed: number, choice: number) => Array.from({ length: 4 }, createRandom(seed, choice));

    expect(first(7, 0)).toEqual(first(7, 0));
    const all = [first(7, 0), first(7, 1), first(8, 0), first(-7, 0), first(7 + 2 ** 32, 0)];
    expect(new Set(all.flat()).size).toBe(20);
  });

  test("are spread evenly from 0 to 1", () => {
    const random = createRandom(1, 0);
    const counts = new Array<number>(10).fill(0);
    for (let at = 0; at < 10_000; at += 1) {
      const bin = Math.floor(random() * 10);
      counts[bin] = (counts[bin] ?? 0) + 1;
    }

    // 1,000 each; 5 standard deviations are 150.
    for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(150);
  });
});

describe("what is asked", () => {
  test.each<[keyof Sampling, number]>([
    ["temperature", 2.1],
    ["temperature", -0.1],
    ["temperature", Number.NaN],
    ["topK", -1],
    ["topK", 1.5],
    ["topP", 1.1],
    ["minP", -1],
    ["repetitionPenalty", 0],
    ["presencePenalty", 3],
    ["frequencyPenalty", -3],
  ])("%s %d is refused by its name", (field, value) => {
    expect(() => rulesOf({ [field]: value })).toThrow(expect.objectContaining({ code: "invalid_request", field }));
  });

  test.each([{ "5": 1 }, { "-1": 1 }, { a: 1 }, { "1.5": 1 }, { "1": 101 }])("the bias %o is refused", (logitBias) => {
    expect(() => rulesOf({ logitBias })).toThrow(expect.objectContaining({ code: "invalid_request", field: "logitBias" }));
  });

  test("the model's own defaults hold where nothing is asked", () => {
    expect(resolveSampling({ topP: 0.5 }, { temperature: 0.6, topP: 0.9 }, VOCABULARY)).toMatchObject({
      temperature: 0.6,
      topP: 0.5,
      topK: 0,
    });
  });
});

test("the likeliest of rows with the lowest scores is found, too", () => {
  expect(argmax(Float32Array.of(-Infinity, -3, -2, -2))).toBe(2);
});

const rulesFor = (vocabularySize: number, sampling: Sampling) => resolveSampling(sampling, {}, vocabularySize);

/** How much of [0, 1) each token has. */
function sharesOf(logits: readonly number[], sampling: Sampling): number[] {
  const counts = new Array<number>(logits.length).fill(0);
  const draws = 20_000;
  for (let at = 0; at < draws; at += 1) {
    const token = drawToken(Float32Array.from(logits), rulesFor(logits.length, sampling), () => (at + 0.5) / draws);
    counts[token] = (counts[token] ?? 0) + 1;
  }
  return counts.map((count) => Number((count / draws).toFixed(4)));
}
