import { expect, test } from "vitest";
import { chatLogprobs, completionLogprobs, createOffsets } from "./logprobs.ts";

const scored = (text: string, logprob: number, bytes = [...Buffer.from(text)]) => ({ token: 1, text, bytes, logprob });

test("a completion names a part of a character by its bytes, and an impossible token's logarithm by a number", () => {
  const part = { ...scored("", Number.NEGATIVE_INFINITY, [0xe2, 0x80]), top: [scored("a", -0.5)] };

  expect(completionLogprobs([part, { ...scored("", -1, [0xa2]), top: [] }], createOffsets(), 1)).toEqual({
    tokens: ["bytes:\\xe2\\x80", "bytes:\\xa2"],
    token_logprobs: [-9999, -1],
    top_logprobs: [{ a: -0.5, "bytes:\\xe2\\x80": -9999 }, { "bytes:\\xa2": -1 }],
    text_offset: [0, 0],
  });
});

test("of two alternatives that are spelt alike the likelier one stays, and no spelling is lost to JavaScript", () => {
  const token = { ...scored("b", -3), top: [scored("a", -1), scored("a", -2), scored("__proto__", -2.5)] };

  expect(JSON.stringify(completionLogprobs([token], createOffsets(), 3).top_logprobs)).toBe('[{"b":-3,"__proto__":-2.5,"a":-1}]');
});

test("asked for none, a completion has no alternatives, and a chat has an empty list", () => {
  const token = { ...scored("b", -3), top: [] };

  expect(completionLogprobs([token], createOffsets(), 0)).toMatchObject({ top_logprobs: null, token_logprobs: [-3] });
  expect(chatLogprobs([token])).toEqual({ content: [{ token: "b", logprob: -3, bytes: [98], top_logprobs: [] }], refusal: null });
});

test("offsets count UTF-16 units, over characters that tokens split and chunks that they come in", () => {
  const tokens = [[97], [0xf0, 0x9f], [0x8c, 0x8a], [0xc3, 0xbc, 0xc3], [0xb6], [98]].map((bytes) => ({
    ...scored("", -1, bytes),
    top: [],
  }));
  const offsetsOf = createOffsets();

  const inChunks = [...offsetsOf(tokens.slice(0, 2)), ...offsetsOf(tokens.slice(2))];

  expect(inChunks).toEqual([0, 1, 1, 3, 4, 5]); // of "a🌊üöb"
  expect(createOffsets()(tokens)).toEqual(inChunks);
});
