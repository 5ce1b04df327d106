import { describe, expect, test } from "vitest";
import { readTaskModel } from "../../../../test/harness/task-model.ts";
import { finishEmbed, planEmbed } from "./embed.ts";

const REQUEST = { task: "embed", inputs: [], overlong: "cut" } as const;
const NORMALIZED = { isNormalized: true };
const rows = () => [new Float32Array([3, 4, 12]), new Float32Array([0, 0, 0])].map((values) => ({ values, width: 3 }));

describe("vectors", () => {
  test("are normalised as the model's files say, unless the caller says otherwise", () => {
    expect(finishEmbed(rows(), REQUEST, NORMALIZED)).toEqual({
      task: "embed",
      dimensions: 3,
      vectors: new Float32Array([3 / 13, 4 / 13, 12 / 13, 0, 0, 0]),
    });
    expect(finishEmbed(rows(), { ...REQUEST, normalize: false }, NORMALIZED)).toMatchObject({
      vectors: new Float32Array([3, 4, 12, 0, 0, 0]),
    });
  });

  test("keep their first elements and are normalised after that", () => {
    const result = finishEmbed(rows(), { ...REQUEST, dimensions: 2 }, NORMALIZED);

    expect(result).toEqual({ task: "embed", dimensions: 2, vectors: new Float32Array([0.6, 0.8, 0, 0]) });
  });

  test("cannot have more elements than the model gives, which is refused before it runs", async () => {
    const model = await readTaskModel("tiny-bert-embed", { head: "embed", dimensions: 48 });
    const refusal = expect.objectContaining({ code: "invalid_request", field: "dimensions" });

    for (const dimensions of [49, 0, -1, 1.5, Number.NaN])
      await expect(planEmbed({ ...REQUEST, dimensions }, model)).rejects.toEqual(refusal);
    expect(() => finishEmbed(rows(), { ...REQUEST, dimensions: 4 }, NORMALIZED)).toThrow(refusal);
  });
});
