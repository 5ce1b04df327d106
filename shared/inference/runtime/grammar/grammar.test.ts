import { expect, test } from "vitest";
import { Failure } from "../../../base/failure.ts";
import { createGrammarCompiler } from "./grammar.ts";
import { createDraw } from "./random.fixture.ts";
import { readByteLevelVocabulary, syntheticVocabulary } from "./vocabulary.fixture.ts";
import { accepts, acceptsTokens, allowedTokens, isAllowed, refuses, walk } from "./walk.fixture.ts";

const bytes = syntheticVocabulary({ hasBytes: true });
const compiler = await createGrammarCompiler(bytes);

/** Which of these texts the schema allows. */
async function allowedOf(schema: unknown, texts: readonly string[]): Promise<readonly string[]> {
  const grammar = await compiler.compile({ kind: "json_schema", schema });
  return texts.filter((text) => accepts(grammar, bytes, text));
}

async function expectAllowed(schema: unknown, { yes, no }: { yes: readonly string[]; no: readonly string[] }): Promise<void> {
  expect(await allowedOf(schema, [...yes, ...no])).toEqual(yes);
}

function tokensOf(...texts: readonly (string | Uint8Array)[]): readonly number[] {
  return texts.map((text) => bytes.bytesOf.findLastIndex((each) => each !== undefined && Buffer.compare(each, Buffer.from(text)) === 0));
}

test("an integer from -5 to 12 is exactly one of these eighteen", async () => {
  const texts = [...Array.from({ length: 401 }, (_, index) => String(index - 200)), "-0", "00", "1.0", "1e0", " 1"];

  const allowed = await allowedOf({ type: "integer", minimum: -5, maximum: 12 }, texts);

  expect(allowed).toEqual(Array.from({ length: 18 }, (_, index) => String(index - 5)));
});

test("constants that begin with one another can each be written whole, and nothing between them", () =>
  expectAllowed(
    { enum: ["a", "ab", "abc", 1, 12, null, { k: [1, "x"] }] },
    { yes: ['"a"', '"ab"', '"abc"', "1", "12", "null", '{"k":[1,"x"]}'], no: ['"', '""', '"b"', '"abcd"', "2", "123", "{}", "true"] },
  ));

test("a constant must meet the rest of its schema", () =>
  expectAllowed({ enum: [1, 5, "a", 2.5], type: "integer", minimum: 3 }, { yes: ["5"], no: ["1", '"a"', "2.5"] }));

test("optional properties come in their order, each at most once, with commas between them alone", () =>
  expectAllowed(
    {
      type: "object",
      properties: { a: { type: "integer" }, b: { type: "integer" }, c: { type: "object", properties: { d: { type: "null" } } } },
      required: ["b"],
    },
    {
      yes: ['{"b":1}', '{"a":1,"b":2}', '{"b":2,"c":{}}', '{"a":1, "b": 2,\n  "c": {"d":null}\n}'],
      no: ["{}", '{"a":1}', '{"b":1,}', '{,"b":1}', '{"b":1,"b":1}', '{"b":1,"a":1}', '{"b":1,"x":1}', '{"b":1 ,"c":{}}', '{"c":{}}'],
    },
  ));

test("a property that nobody declares takes no declared name, however that is spelled", () =>
  expectAllowed(
    { type: "object", properties: { ab: { type: "integer" } }, additionalProperties: { type: "boolean" } },
    {
      yes: ['{"ab":1,"abc":true}', '{"a":true,"b":false}', '{"":true}', '{"é日😀":true}'],
      no: ['{"ab":true}', '{"abc":1}', '{"abc":true,"ab":1}', '{"a\\u0062":true}', '{"abc":true,"ab":true}'],
    },
  ));

test("a required property that only additionalProperties describes is written, too", () =>
  expectAllowed(
    { type: "object", properties: { a: { type: "null" } }, required: ["z"], additionalProperties: { type: "integer" } },
    { yes: ['{"a":null,"z":1}', '{"z":1,"y":2}'], no: ["{}", '{"a":null}', '{"z":null}', '{"y":2}'] },
  ));

test("anyOf of kinds of objects keeps each kind whole", () =>
  expectAllowed(
    {
      anyOf: [
        { type: "object", properties: { kind: { const: "circle" }, radius: { type: "number" } }, required: ["kind", "radius"] },
        { type: "object", properties: { kind: { const: "square" }, side: { type: "number" } }, required: ["kind", "side"] },
      ],
    },
    {
      yes: ['{"kind":"circle","radius":1}', '{"kind":"square","side":2.5}'],
      no: ['{"kind":"circle","side":1}', '{"kind":"circl","radius":1}', '{"kind":"circle"}'],
    },
  ));

test("what stands beside anyOf and $ref holds for every branch", async () => {
  await expectAllowed({ type: "string", anyOf: [{ minLength: 3 }, { maxLength: 1 }] }, { yes: ['"a"', '"abc"', '""'], no: ['"ab"'] });
  await expectAllowed(
    { $ref: "#/$defs/n", minimum: 3, $defs: { n: { type: ["integer", "null"], maximum: 4 } } },
    { yes: ["3", "4", "null"], no: ["2", "5"] },
  );
});

test("a tree refers to itself as deep as it goes", () =>
  expectAllowed(
    {
      $ref: "#/$defs/tree",
      $defs: {
        tree: {
          type: "object",
          properties: { value: { type: "integer" }, children: { type: "array", items: { $ref: "#/$defs/tree" } } },
          required: ["value"],
        },
      },
    },
    {
      yes: ['{"value":1}', '{"value":1,"children":[{"value":2,"children":[]},{"value":3}]}'],
      no: ['{"children":[]}', '{"value":1,"children":[1]}', '{"value":1,"children":[{"value":2},]}'],
    },
  ));

test("lengths count characters: not bytes, not escapes, not halves of pairs", () =>
  expectAllowed(
    { type: "string", minLength: 2, maxLength: 3 },
    {
      yes: ['"ab"', '"é日"', '"😀😀😀"', '"\\n\\u0041\\ud83d\\ude00"'],
      no: ['"a"', '"😀"', '"\\ud83d\\ude00"', '"abcd"', '"😀😀😀😀"', '"éééé"'],
    },
  ));

test("arrays hold as many items as they may", () =>
  expectAllowed(
    { type: "array", items: { type: "boolean" }, minItems: 1, maxItems: 2 },
    { yes: ["[true]", "[true,false]", "[ true, false ]", "[\n  true\n]"], no: ["[]", "[true,true,true]", "[true,]", "[,true]", "[1]"] },
  ));

test("a string is always valid: no control characters, broken UTF-8 or halves of surrogate pairs", async () => {
  const grammar = await compiler.compile({ kind: "json_schema", schema: { type: "string" } });
  const draws = (...parts: readonly (string | Uint8Array)[]) => acceptsTokens(grammar, tokensOf('"', ...parts, '"'));

  expect(
    [["é"], [Uint8Array.of(0xf0, 0x9f), Uint8Array.of(0x98, 0x80)], ["\\", "u", "0", "0", "4", "1"]].map((parts) => draws(...parts)),
  ).toEqual(Array(3).fill(true));
  expect(
    [
      ["\n"],
      [Uint8Array.of(0xf0, 0x9f)],
      [Uint8Array.of(0xc0)],
      [Uint8Array.of(0x80)],
      [Uint8Array.of(0xed), Uint8Array.of(0xa0)],
      ["\\ud83d"],
    ].map((parts) => draws(...parts)),
  ).toEqual(Array(6).fill(false));
});

test("a character that is split over tokens is finished within the string, and its token may close the string", async () => {
  const grammar = await compiler.compile({ kind: "json_schema", schema: { type: "string", maxLength: 2 } });

  expect(acceptsTokens(grammar, tokensOf('"', Uint8Array.of(0x61, 0xc3), Uint8Array.of(0xa9, 0x22)))).toBe(true);
  expect(acceptsTokens(grammar, tokensOf('"', "ab", Uint8Array.of(0x61, 0xc3)))).toBe(false);
});

test("tokens across the borders of values are allowed where all of them fits", async () => {
  const grammar = await compiler.compile({
    kind: "json_schema",
    schema: { type: "array", items: { type: "object", properties: { a: { type: "string" }, name: { type: "integer" } } }, maxItems: 2 },
  });

  expect(acceptsTokens(grammar, tokensOf("[", '{"', "a", '": "', "ab", '"},{"', "name", '":', "12", "}", "]"))).toBe(true);
  expect(acceptsTokens(grammar, tokensOf("[", '{"', "a", '": "', "ab", '"},{"', "a", '": "', '"},{"'))).toBe(false);
  expect(acceptsTokens(grammar, tokensOf("[", '{"', "name", '": "'))).toBe(false);
});

test("white space ends: one space, or one new line with its indentation", () =>
  expectAllowed(
    { type: "array", items: { type: "integer" } },
    { yes: ["[1, 2]", `[\n${" ".repeat(32)}1]`], no: ["[1,  2]", "[\n\n1]", `[\n${" ".repeat(33)}1]`, " [1]", "[1] ", "[\t1]", "[1\n,2]"] },
  ));

test("any JSON object is an object, nested at most 64 levels deep", async () => {
  const grammar = await compiler.compile({ kind: "json_object" });
  const nested = (levels: number) => `{"a":${"[".repeat(levels - 1)}${"]".repeat(levels - 1)}}`;

  expect(['{"a":[1,{"b":null}],"c":"d"}', "{}", nested(64)].map((text) => accepts(grammar, bytes, text))).toEqual([true, true, true]);
  expect(["[]", "1", '{"a"}', "{1:2}", "{'a':1}", nested(65)].map((text) => accepts(grammar, bytes, text))).toEqual(Array(6).fill(false));
});

test("the end of the sequence may come exactly when the answer is whole, by any of its tokens", async () => {
  const [first = -1, second = -1] = bytes.eosIds;
  const matcher = (await compiler.compile({ kind: "json_schema", schema: { enum: [1, 12] } })).start();

  const seen = [];
  for (const token of tokensOf("1", "2")) {
    seen.push([matcher.isComplete(), isAllowed(matcher, first), isAllowed(matcher, second), matcher.mustEnd()]);
    matcher.accept(token);
  }

  expect(seen).toEqual([
    [false, false, false, false],
    [true, true, true, false],
  ]);
  expect(allowedTokens(matcher)).toEqual([first, second].toSorted((a, b) => a - b));
  expect(matcher.mustEnd()).toBe(true);
});

test("an end that was added behind the vocabulary is allowed like any other", async () => {
  const last = bytes.bytesOf.length + 40;
  const added = await createGrammarCompiler({ bytesOf: bytes.bytesOf, eosIds: [last] });
  const matcher = (await added.compile({ kind: "json_object" })).start();

  for (const token of tokensOf("{", "}")) matcher.accept(token);

  expect(allowedTokens(matcher)).toEqual([last]);
});

test("accepting a token that was not allowed is our own mistake", async () => {
  const grammar = await compiler.compile({ kind: "json_schema", schema: { type: "boolean" } });
  const [end = -1] = bytes.eosIds;

  expect(() => grammar.start().accept(tokensOf("a")[0] ?? -1)).toThrow("draws only allowed tokens");
  expect(() => grammar.start().accept(end)).toThrow("ends only where its grammar allows it");
});

test.each([
  ["any object", { type: "object" }],
  [
    "short texts in branches",
    {
      type: "array",
      items: {
        anyOf: [
          { type: "string", maxLength: 3 },
          { type: "object", required: ["ab", "é"] },
        ],
      },
    },
  ],
  ["numbers", { type: "array", items: { type: "number", minimum: -1.5, maximum: 120 } }],
])("the mask holds each token that is accepted, and no other: %s", async (_, schema) => {
  const grammar = await compiler.compile({ kind: "json_schema", schema });
  const draw = createDraw(7);

  const wrong: number[] = [];
  for (let answer = 0; answer < 20; answer++) {
    const matcher = grammar.start();
    for (let count = 0; count < 20 && !matcher.mustEnd(); count++) {
      wrong.push(...[...bytes.bytesOf.keys()].filter((token) => !isAllowed(matcher, token) && !refuses(matcher, token)));
      const drawn = allowedTokens(matcher).filter((token) => !bytes.eosIds.includes(token));
      matcher.accept(drawn[draw(drawn.length)] ?? -1);
    }
  }

  expect(wrong).toEqual([]);
});

test("matchers of one grammar do not know of each other", async () => {
  const grammar = await compiler.compile({ kind: "json_object" });
  const vocabulary = readByteLevelVocabulary();
  const other = await (await createGrammarCompiler(vocabulary)).compile({ kind: "json_object" });

  const alone = [walk(other, vocabulary, createDraw(1)), walk(other, vocabulary, createDraw(2))];
  const again = [walk(other, vocabulary, createDraw(2)), walk(other, vocabulary, createDraw(1))].toReversed();

  expect(again).toEqual(alone);
  expect(grammar.start().isComplete()).toBe(false);
});

test("where single bytes beyond ASCII are missing, names and constants are escaped, and characters come whole", async () => {
  const ascii = syntheticVocabulary({ hasBytes: false });
  const schema = { type: "object", properties: { ü: { const: "日😀" } }, required: ["ü"] };
  const escaping = await createGrammarCompiler(ascii);

  const text = walk(await escaping.compile({ kind: "json_schema", schema }), ascii, createDraw(3));
  const string = (await escaping.compile({ kind: "json_schema", schema: { type: "string" } })).start();
  string.accept(ascii.bytesOf.findIndex((each) => each?.length === 1 && each[0] === 0x22));

  expect(text).toContain('"\\u00fc"');
  expect(JSON.parse(text)).toEqual({ ü: "日😀" });
  expect(allowedTokens(string).map((token) => Buffer.from(ascii.bytesOf[token] ?? []).toString())).not.toContainEqual(
    expect.stringContaining("\ufffd"),
  );
});

test("a vocabulary that lacks a character is refused, for an answer could begin that never ends", async () => {
  const bytesOf = bytes.bytesOf.filter((each) => !(each?.length === 1 && each[0] === 0x7d));

  await expect(createGrammarCompiler({ bytesOf, eosIds: [0] })).rejects.toMatchObject({ code: "unsupported" });
});

test.each([
  ["contradicting types", { allOf: [{ type: "string" }, { type: "integer" }] }],
  ["constants outside of the bounds", { enum: [1, 2], minimum: 3 }],
  ["a required property that may not be", { type: "object", required: ["a"], additionalProperties: false }],
  ["items that cannot be", { type: "array", items: false, minItems: 1 }],
  ["no integer between the bounds", { type: "integer", exclusiveMinimum: 1, exclusiveMaximum: 2 }],
  ["a tree without leaves", { type: "object", properties: { next: { $ref: "#" } }, required: ["next"] }],
  ["false", false],
])("a schema that nothing meets is refused: %s", async (_, schema) => {
  await expect(compiler.compile({ kind: "json_schema", schema })).rejects.toThrow(Failure);
  await expect(compiler.compile({ kind: "json_schema", schema })).rejects.toThrow("No value of at most 64 levels meets the schema");
});
