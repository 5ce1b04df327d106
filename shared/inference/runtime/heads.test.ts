import { beforeAll, describe, expect, test } from "vitest";
import { readTaskModel } from "../../../test/harness/task-model.ts";
import { factsOf, type Graph, headOf, isBatchable, labelsOf } from "./heads.ts";
import type { ModelSettings } from "./model-files.ts";
import type { TensorShape } from "./session.ts";

const float = (name: string, ...dims: readonly (number | undefined)[]): TensorShape => ({ name, type: "float32", dims });
const int64 = (name: string): TensorShape => ({ name, type: "int64", dims: [undefined, undefined] });
const graphOf = (...outputs: readonly TensorShape[]): Graph => ({ inputs: [int64("input_ids"), int64("attention_mask")], outputs });
const ANY = undefined;

let settings: ModelSettings;
beforeAll(async () => {
  ({ settings } = await readTaskModel("tiny-bert-mlm", { head: "fill" })); // a vocabulary of 1,200, a mask, no class in its configuration
});

describe("a head is known by the graph's outputs", () => {
  test.each([
    ["embed", [float("last_hidden_state", ANY, ANY, 48)]],
    ["embed", [float("token_embeddings", ANY, ANY, 48), float("sentence_embedding", ANY, 48)]],
    ["classify", [float("logits", ANY, 3)]],
    ["detect", [float("logits", ANY, ANY)]],
    ["tag", [float("logits", ANY, ANY, 5)]],
    ["fill", [float("logits", ANY, ANY, 1200)]],
    ["answer", [float("start_logits", ANY, ANY), float("end_logits", ANY, ANY)]],
  ])("%s", (head, outputs) => {
    expect(headOf(graphOf(...outputs), settings)).toMatchObject({ head });
  });

  test("and by the class in config.json where two look alike", () => {
    const of = (architecture: string, ...dims: readonly (number | undefined)[]) =>
      headOf(graphOf(float("logits", ...dims)), { ...settings, architectures: [architecture] }).head;

    expect(of("BertForTokenClassification", ANY, ANY, 1200)).toBe("tag");
    expect(of("BertForSequenceClassification", ANY, ANY)).toBe("classify");
    expect(of("ElectraForPreTraining", ANY, ANY)).toBe("detect");
    expect(of("BertForMaskedLM", ANY, ANY, 1300)).toBe("fill");
  });

  test("a cache makes it a decoder, whatever else it answers", () => {
    const graph = graphOf(float("logits", ANY, ANY, 1200), float("present.0.key", ANY, 4, ANY, 12));

    expect(headOf({ ...graph, inputs: [...graph.inputs, float("past_key_values.0.key", ANY, 4, ANY, 12)] }, settings)).toMatchObject({
      head: "generate",
    });
  });

  test("what Weir does not serve is refused with what the graph answers", () => {
    const decoder = { ...settings, family: "gpt2", maskId: undefined };

    expect(() => headOf(graphOf(float("boxes", ANY, 4)), settings)).toThrow(/The graph answers with boxes\[\?,4\]; Weir serves/);
    expect(() => headOf(graphOf(float("logits", ANY, ANY, 1200)), decoder)).toThrow(/generation with a key\/value cache/);
  });
});

describe("facts", () => {
  const also = { dtypes: ["fp32" as const] };

  test("hold the bare graph, with -1 for lengths that the input decides", () => {
    const facts = factsOf(graphOf(float("logits", ANY, 2)), { ...settings, labels: undefined }, { ...also, chats: true });

    expect(facts).toMatchObject({ head: "classify", labels: ["LABEL_0", "LABEL_1"], chats: true });
    expect(facts.graph).toEqual({
      inputs: [
        { name: "input_ids", type: "int64", dims: [-1, -1] },
        { name: "attention_mask", type: "int64", dims: [-1, -1] },
      ],
      outputs: [{ name: "logits", type: "float32", dims: [-1, 2] }],
    });
  });

  test("several poolings make a vector longer, a whole vector stays as it is", () => {
    const joined = { ...settings, poolings: ["cls", "max"] as const };

    expect(factsOf(graphOf(float("last_hidden_state", ANY, ANY, 48)), joined, also)).toMatchObject({ dimensions: 96 });
    expect(factsOf(graphOf(float("sentence_embedding", ANY, 48)), joined, also)).toMatchObject({ dimensions: 48 });
  });

  test("inputs that no tokenizer gives are refused, and so is a graph without ids", () => {
    const outputs = [float("logits", ANY, 2)];

    expect(() => factsOf({ inputs: [int64("input_ids"), int64("bbox")], outputs }, settings, also)).toThrow(/wants bbox \(int64\)/);
    expect(() => factsOf({ inputs: [{ ...int64("input_ids"), type: "float32" }], outputs }, settings, also)).toThrow(
      /input_ids \(float32\)/,
    );
    expect(() => factsOf({ inputs: [int64("attention_mask")], outputs }, settings, also)).toThrow(/no input named input_ids/);
  });

  test("fill-mask without a mask, labels of another number, modules outside of the graph are refused", () => {
    const mlm = { ...settings, maskId: undefined, architectures: ["BertForMaskedLM"] };

    expect(() => factsOf(graphOf(float("logits", ANY, ANY, 1200)), mlm, also)).toThrow(/names no mask token/);
    expect(() => labelsOf({ ...settings, labels: ["a", "b", "c"] }, 2)).toThrow(
      /config.json names 3 labels, and the graph's logits have 2/,
    );
    expect(() => factsOf(graphOf(float("last_hidden_state", ANY, ANY, 48)), { ...settings, otherModules: ["Dense"] }, also)).toThrow(
      /Dense must be part of the graph/,
    );
  });
});

test("inputs run one by one where company would change their numbers", () => {
  const classify = { head: "classify", outputs: ["logits"], holds: "rows" } as const;
  const decoder = { ...settings, family: "gpt2", isPadKnown: false };

  expect(isBatchable("fp32", classify, settings)).toBe(true);
  expect(isBatchable("q8", classify, settings)).toBe(false);
  expect(isBatchable("fp32", classify, decoder)).toBe(false);
  expect(isBatchable("fp32", classify, { ...decoder, isPadKnown: true })).toBe(true);
  expect(isBatchable("fp32", { ...classify, head: "tag" }, decoder)).toBe(true);
});
