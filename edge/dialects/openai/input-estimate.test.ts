import fc from "fast-check";
import { expect, test } from "vitest";
import { CHARACTERS_PER_TOKEN, estimateInputTokens } from "./input-estimate.ts";

const TEXT = "A weir stands across a river."; // 29 characters
const OF_TEXT = Math.floor(TEXT.length / CHARACTERS_PER_TOKEN);

test.each([
  ["a prompt", { prompt: TEXT }, OF_TEXT],
  ["several prompts", { prompt: [TEXT, TEXT] }, 2 * OF_TEXT],
  ["token ids", { prompt: [1, 2, 3] }, 3],
  ["lists of token ids", { prompt: [[1, 2, 3], [4]] }, 4],
  [
    "messages",
    {
      messages: [
        { role: "system", content: TEXT },
        { role: "user", content: TEXT },
      ],
    },
    2 * OF_TEXT,
  ],
  [
    "parts, of which texts count",
    { messages: [{ role: "user", content: [{ type: "text", text: TEXT }, { type: "image_url" }] }] },
    OF_TEXT,
  ],
  ["a text of less than a token", { prompt: "hi" }, 0],
  ["nothing", {}, 0],
  ["what the engine will refuse", { messages: [null, 1, { content: { text: TEXT } }, { content: [null, 7] }] }, 0],
])("%s: %j is estimated", (_, asked, tokens) => {
  expect(estimateInputTokens(asked)).toBe(tokens);
});

test("an estimate is never more than a tokenizer of bytes counts", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "binary", maxLength: 40 }), { maxLength: 5 }), (texts) => {
      const bytes = Buffer.byteLength(texts.join(""));

      expect(estimateInputTokens({ prompt: texts })).toBeLessThanOrEqual(bytes);
      expect(estimateInputTokens({ messages: texts.map((content) => ({ content })) })).toBeLessThanOrEqual(bytes);
    }),
  );
});
