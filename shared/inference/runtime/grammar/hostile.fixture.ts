import { createGrammarCompiler } from "./grammar.ts";
import { createDraw } from "./random.fixture.ts";
import { readByteLevelVocabulary } from "./vocabulary.fixture.ts";
import { allowedTokens } from "./walk.fixture.ts";

/**
 * Compiles schemas that ask for endless work, and draws some tokens of what compiles. A process of its own, which the test can end: a loop that
 * does not come back would hold the test's own clock, too. Prints each schema's refusal, or "allowed".
 */
const TOKENS = 40;

const times = <Type>(count: number, make: (index: number) => Type) => Array.from({ length: count }, (_, index) => make(index));
const ref = (index: number) => ({ $ref: `#/$defs/d${index}` });
const defs = (count: number, make: (index: number) => unknown) => Object.fromEntries(times(count, (index) => [`d${index}`, make(index)]));
const chain = (count: number, make: (next: unknown) => unknown) => ({
  ...ref(0),
  $defs: defs(count, (index) => (index < count - 1 ? make(ref(index + 1)) : {})),
});

const SCHEMAS: Readonly<Record<string, unknown>> = {
  "a bomb of allOf": chain(30, (next) => ({ allOf: [next, next] })),
  "a bomb of properties": chain(60, (next) => ({ properties: { a: next, b: next }, required: ["a", "b"] })),
  "a bomb of anyOf": { allOf: times(30, () => ({ anyOf: [{ type: "string" }, { type: "integer" }] })) },
  "a long chain of references": chain(3_000, (next) => next),
  "a long chain of properties": chain(1_000, (next) => ({ properties: { next }, required: ["next"] })),
  "sets of sets": {
    ...ref(0),
    $defs: defs(14, (index) => ({ properties: { x: { anyOf: times(14, (other) => ({ allOf: [ref(index), ref(other)] })) } } })),
  },
  "a bomb within a property": {
    ...ref(0),
    $defs: defs(14, (index) => ({
      properties: { x: { allOf: times(3, (step) => ref((index * 3 + step * 5 + 1) % 14)) }, y: ref((index + 1) % 14) },
    })),
  },
  "thousands of constants in a row": { allOf: times(4, (start) => ({ enum: times(1_000, (index) => [index + start]) })) },
  "too many properties": { properties: defs(1_001, () => true) },
  "many properties in many branches": { properties: defs(900, () => true), anyOf: times(64, (index) => ({ required: [`d${index}`] })) },
  "values that begin alike, over and over": {
    ...ref(0),
    $defs: { d0: { anyOf: times(32, (index) => ({ type: "array", items: ref(0), minItems: index % 3, maxItems: 100 + index })) } },
  },
  "texts of many lengths": { anyOf: times(32, (index) => ({ type: "string", minLength: index, maxLength: 1_000_000 - index })) },
  "numbers of many ranges": { anyOf: times(32, (index) => ({ type: "number", minimum: -index, maximum: 1e300 })) },
};

const vocabulary = readByteLevelVocabulary();
const compiler = await createGrammarCompiler(vocabulary);
const verdicts: Record<string, string> = {};
for (const [name, schema] of Object.entries(SCHEMAS)) verdicts[name] = await tryOut(schema);
process.stdout.write(JSON.stringify(verdicts));

async function tryOut(schema: unknown): Promise<string> {
  const grammar = await compiler.compile({ kind: "json_schema", schema }).catch(String);
  if (typeof grammar === "string") return grammar;
  const matcher = grammar.start();
  const draw = createDraw(1);
  for (let count = 0; count < TOKENS && !matcher.mustEnd(); count++) {
    const allowed = allowedTokens(matcher).filter((token) => !vocabulary.eosIds.includes(token));
    matcher.accept(allowed[draw(allowed.length)] ?? -1);
  }
  return "allowed";
}
