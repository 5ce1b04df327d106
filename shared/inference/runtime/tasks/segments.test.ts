import { expect, test } from "vitest";
import { sentencesIn, wordsIn } from "./segments.ts";

test("sentences are where their spans say, without the blanks around them", () => {
  const text = "  It rained. Nobody cared!\n\n東京は晴れ。はい。 ";

  const sentences = sentencesIn(text);

  expect(sentences.map((sentence) => sentence.text)).toEqual(["It rained.", "Nobody cared!", "東京は晴れ。", "はい。"]);
  for (const { text: sentence, start, end } of sentences) expect(text.slice(start, end)).toBe(sentence);
});

test("words are what is not space or punctuation", () => {
  expect(wordsIn("It isn't 3.5 o'clock — really?")).toEqual(["It", "isn't", "3.5", "o'clock", "really"]);
  expect(wordsIn(" … ")).toEqual([]);
});
