import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createTextStream } from "./text-stream.ts";

const encoder = new TextEncoder();

describe("whole characters", () => {
  test("a character that comes in bytes leaves when it is whole", () => {
    const pieces = streamed(
      [...encoder.encode("é🙂")].map((byte) => Uint8Array.of(byte)),
      [],
    );

    expect(pieces.texts).toEqual(["", "é", "", "", "", "🙂", ""]);
  });

  test("bytes that are no text become what decoding all of them at once gives, however they are split", () => {
    const bytes = fc.array(
      fc.oneof(fc.constantFrom(0xe2, 0x82, 0xac, 0xf0, 0x9f, 0xc3, 0xa9, 0xff, 0x41, 0xed, 0xa0, 0xef, 0xbb, 0xbf), fc.nat(255)),
      {
        maxLength: 24,
      },
    );

    fc.assert(
      fc.property(bytes, fc.infiniteStream(fc.integer({ min: 1, max: 4 })), (all, sizes) => {
        const whole = new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(all));

        expect(streamed(split(Uint8Array.from(all), sizes), []).text).toBe(whole);
      }),
    );
  });

  test("Python's decode with errors=replace, by its own words", () => {
    // b"\xf0\x9f\x99A\xc3\xe2\x82".decode(errors="replace")
    expect(streamed([Uint8Array.of(0xf0, 0x9f, 0x99, 0x41, 0xc3, 0xe2, 0x82)], []).text).toBe("\ufffdA\ufffd\ufffd");
  });
});

describe("stop texts", () => {
  test.each([
    ["in one token", ["Hello END more"], ["END"], "Hello ", "END"],
    ["over tokens", ["Hello E", "N", "D more"], ["END"], "Hello ", "END"],
    ["a beginning that comes to nothing", ["Hello E", "N", "E", "N", "d"], ["END"], "Hello ENENd", undefined],
    ["one within another's beginning", ["a", "b", "c"], ["abd", "b"], "a", "b"],
    ["of two that end together, the longer", ["xab"], ["b", "ab"], "x", "ab"],
    ["at the very start", ["\n", "x"], ["\n"], "", "\n"],
    ["a beginning left at the end is text", ["x E", "N"], ["END"], "x EN", undefined],
    ["an emoji", ["a🙂b"], ["🙂"], "a", "🙂"],
  ])("%s", (_, tokens, stops, text, stopText) => {
    const said = streamed(
      tokens.map((token) => encoder.encode(token)),
      stops,
    );

    expect(said.text).toBe(text);
    expect(said.stopText).toBe(stopText);
  });

  test("nothing of a stop text ever leaves, and splitting makes no difference", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "b", "é", "🙂"), maxLength: 24 });
    const stops = fc.array(fc.string({ unit: fc.constantFrom("a", "b", "é", "🙂"), minLength: 1, maxLength: 4 }), {
      minLength: 1,
      maxLength: 3,
    });

    fc.assert(
      fc.property(text, stops, fc.infiniteStream(fc.integer({ min: 1, max: 3 })), (all, some, sizes) => {
        const said = streamed(split(encoder.encode(all), sizes), some);
        const byCharacter = streamed(
          [...all].map((character) => encoder.encode(character)),
          some,
        );

        const first = some.flatMap((stop) => (all.includes(stop) ? [all.indexOf(stop) + stop.length] : [])).sort((a, b) => a - b)[0];
        expect(said.text).toBe(byCharacter.text);
        expect(said.text + (said.stopText ?? "")).toBe(all.slice(0, first));
        expect(some.some((stop) => said.text.includes(stop))).toBe(false);
      }),
    );
  });

  test("what could still become one is all that is held back", () => {
    const stream = createTextStream(["END"]);

    expect(stream.push(encoder.encode("Hello EN")).text).toBe("Hello ");
    expect(stream.push(encoder.encode("Q")).text).toBe("ENQ");
    expect(stream.length()).toBe(9);
  });
});

function streamed(tokens: readonly Uint8Array[], stops: readonly string[]) {
  const stream = createTextStream(stops);
  const texts: string[] = [];
  for (const token of tokens) {
    const piece = stream.push(token);
    texts.push(piece.text);
    if (piece.stopText !== undefined) return { texts, text: texts.join(""), stopText: piece.stopText };
  }
  const last = stream.end();
  texts.push(last.text);
  return { texts, text: texts.join(""), stopText: last.stopText };
}

function split(bytes: Uint8Array, sizes: fc.Stream<number>): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const size of sizes) {
    if (at >= bytes.length) break;
    parts.push(bytes.subarray(at, at + size));
    at += size;
  }
  return parts;
}
