import { readFileSync } from "node:fs";
import * as z from "zod";
import type { Vocabulary } from "./written-vocabulary.ts";

const TINY_GPT2 = new URL("../../../../test/fixtures/models/tiny-gpt2/tokenizer.json", import.meta.url);

const Tokenizer = z.object({
  model: z.object({ vocab: z.record(z.string(), z.number()) }),
  added_tokens: z.array(z.object({ id: z.number() })),
});

/** A byte-level BPE's tokens as bytes; its last added token ends a text. */
export function readByteLevelVocabulary(path: string | URL = TINY_GPT2): Vocabulary {
  const { model, added_tokens } = Tokenizer.parse(JSON.parse(readFileSync(path, "utf8")));
  const byteOf = new Map(Array.from({ length: 256 }, (_, byte) => [spellingOf(byte), byte]));
  const special = new Set(added_tokens.map(({ id }) => id));
  const bytesOf: (Uint8Array | undefined)[] = [];
  for (const [spelling, id] of Object.entries(model.vocab)) {
    bytesOf[id] = special.has(id) ? undefined : Uint8Array.from(spelling, (character) => byteOf.get(character) ?? 0);
  }
  return { bytesOf, eosIds: [Math.max(...special)] };
}

/** GPT-2's `bytes_to_unicode`: printable bytes stand for themselves, the others for the characters from U+0100 on, in their order. */
function spellingOf(byte: number): string {
  const isPrintable = (each: number) => (each >= 0x21 && each <= 0x7e) || (each >= 0xa1 && each <= 0xac) || each >= 0xae;
  const before = Array.from({ length: byte }, (_, each) => each).filter((each) => !isPrintable(each)).length;
  return String.fromCodePoint(isPrintable(byte) ? byte : 0x100 + before);
}

/** Tokens that cross every border of JSON, whole and split characters, duplicates, an empty one, a hole, and two ends. */
export function syntheticVocabulary({ hasBytes }: { hasBytes: boolean }): Vocabulary {
  const singles = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)).filter(([byte = 0]) => hasBytes || byte < 0x80);
  const texts = [
    '{"',
    '":',
    '": "',
    '", "',
    '"}',
    '"},{"',
    "[[",
    "]]}",
    "}}",
    '\\"',
    "\\u00",
    "\\ud83d",
    "12",
    "-1",
    ".5",
    "e9",
    "true",
    "null,",
    " ",
    "\n",
    "\n  ",
    "é",
    "日本",
    "😀",
    "a",
    "ab",
    "name",
    'a":1',
    "1]",
    "",
    "aé日😀",
  ];
  const split = [Uint8Array.of(0xf0, 0x9f), Uint8Array.of(0x98, 0x80), Uint8Array.of(0x61, 0xc3), Uint8Array.of(0xa9, 0x22)];
  return {
    bytesOf: [undefined, ...singles, ...texts.map((text) => Buffer.from(text)), ...split, undefined],
    eosIds: [0, singles.length + texts.length + split.length + 1],
  };
}
