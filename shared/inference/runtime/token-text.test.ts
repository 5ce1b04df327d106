import { describe, expect, test } from "vitest";
import { createTokenJoin } from "./token-text.ts";

describe("tokens are joined as tokenizers' decoders do", () => {
  const wordPiece = { type: "WordPiece", prefix: "##", cleanup: true };
  const metaspace = { type: "Metaspace", replacement: "▁", prepend_scheme: "always" };
  test.each([
    ["WordPiece: pieces of a word", wordPiece, ["lo", "##vel", "##ace", "worked"], "lovelace worked"],
    ["WordPiece: a group that begins inside a word keeps its mark", wordPiece, ["##bage", "in"], "##bage in"],
    ["WordPiece: no space before a full stop", wordPiece, ["1843", "."], "1843."],
    ["bytes of one character", { type: "ByteLevel" }, ["Ã", "©"], "é"],
    ["half a character", { type: "ByteLevel" }, ["Ã"], "\ufffd"],
    ["byte-level: a space is a letter of its own", { type: "ByteLevel" }, ["ĠLo", "vel"], " Lovel"],
    ["byte-level: what no byte stands for stays text", { type: "ByteLevel" }, [" Lovelace", " 大"], " Lovelace 大"],
    ["Metaspace", metaspace, ["▁paris", "▁is", "t"], "paris ist"],
    [
      "a sequence",
      {
        type: "Sequence",
        decoders: [
          { type: "Replace", pattern: { String: "▁" }, content: " " },
          { type: "Fuse" },
          { type: "Strip", content: " ", start: 1, stop: 0 },
        ],
      },
      ["▁a", "▁b"],
      "a b",
    ],
    ["word ends", { type: "BPEDecoder", suffix: "</w>" }, ["hel", "lo</w>", "you</w>"], "hello you"],
    ["none at all", null, ["a", "b"], "a b"],
  ])("%s", (_, decoder, tokens, expected) => {
    expect(createTokenJoin(decoder)(tokens)).toBe(expected);
  });
});
