import { describe, expect, test } from "vitest";
import { createAddedTokenSplitter } from "./added-tokens.ts";
import type { AddedToken } from "./library.ts";

const PLAIN = { id: 1, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
const NONE = { isText: false, places: [] };

function split(text: string, tokens: readonly Partial<AddedToken>[], guards: { isText: boolean; places: number[] } = NONE): string[] {
  const all = tokens.map((token) => ({ ...PLAIN, content: "", ...token }));
  const sections = createAddedTokenSplitter(all.map((token) => ({ content: token.content, token })))({ text }, guards);
  return sections.map((section) => (section.added === undefined ? section.text : `{${section.text}}`));
}

describe("an added token", () => {
  test.each([
    ["cuts the text", "a<s>b<s>", [{ content: "<s>" }], ["a", "{<s>}", "b", "{<s>}"]],
    ["that is longer wins", "<s>>", [{ content: "<s>" }, { content: "<s>>" }], ["{<s>>}"]],
    ["that is not whole is text", "a<s", [{ content: "<s>" }], ["a<s"]],
    ["takes the blanks beside it", "a <m>\tb", [{ content: "<m>", lstrip: true, rstrip: true }], ["a", "{ <m>\t}", "b"]],
    ["takes no blanks of the one before", "<m> <m>", [{ content: "<m>", lstrip: true, rstrip: true }], ["{<m> }", "{<m>}"]],
    ["that wants a word of its own gets one", "ab b", [{ content: "b", single_word: true }], ["ab ", "{b}"]],
  ])("%s", (_, text, tokens, sections) => {
    expect(split(text, tokens)).toEqual(sections);
  });

  test("is text where special tokens are, unless it is not special", () => {
    expect(split("<s><t>", [{ content: "<s>" }, { content: "<t>", special: false }], { isText: true, places: [] })).toEqual([
      "<s>",
      "{<t>}",
    ]);
  });

  test("is text where it is guarded, and there only", () => {
    expect(split("<s><s>", [{ content: "<s>" }], { isText: false, places: [1] })).toEqual(["<s>", "{<s>}"]);
  });
});
