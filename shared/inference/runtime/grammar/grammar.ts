import type { ResponseFormat } from "../../generation.ts";
import { readSchema } from "./check-schema.ts";
import { createKeptGrammars } from "./kept-grammars.ts";
import { createMatcher, type Matcher } from "./matcher.ts";
import { planShapes } from "./plan-shapes.ts";
import type { Position } from "./shape.ts";
import { readVocabulary, type Vocabulary } from "./written-vocabulary.ts";

/**
 * Constrained decoding: JSON, and JSON that a schema accepts, by masking a model's vocabulary.
 *
 * Our own, because the one library for JavaScript does not hold what it is for. `@mlc-ai/web-xgrammar` 0.1.27 (two releases, a UMD file that Node cannot
 * import as the module it says it is) writes, without a word, numbers on exclusive bounds, `minLength` beside `anyOf` broken, required names that no
 * property declares left out, additional properties under declared names, halves of surrogate pairs and 1e999; and a `maxLength` of 2,000 holds the thread
 * for seconds. Here lengths and counts are numbers in a frame, not copies of states, so that a schema compiles in milliseconds.
 */
export type GrammarCompiler = {
  /** Fails with `invalid_request`, the keyword's path as its field, for a schema that is not supported or that nothing meets. */
  readonly compile: (format: ResponseFormat) => Promise<Grammar>;
  readonly dispose: () => void;
};

export type Grammar = {
  /** A matcher at the beginning of an answer. */
  readonly start: () => Matcher;
};

/** Steps as in effort.ts: of all that are kept together about 100 MB. */
const KEPT_LIMITS = { countMax: 64, stepsMax: 5_000_000 };

/** Fails with `unsupported` if the vocabulary cannot write all of ASCII. */
export async function createGrammarCompiler(vocabulary: Vocabulary): Promise<GrammarCompiler> {
  const written = readVocabulary(vocabulary);
  const kept = createKeptGrammars<Compiled>(KEPT_LIMITS);

  function compile(format: ResponseFormat): Compiled {
    const schema = format.kind === "json_object" ? { type: "object" } : format.schema;
    // Read first: only what has passed its limits may be turned into a key.
    const root = readSchema(schema);
    const key = JSON.stringify(schema);
    const known = kept.get(key);
    if (known !== undefined) return known;
    const effort = { steps: 0 };
    const compiled = { position: planShapes(root, written.spell, effort), steps: effort.steps };
    kept.put(key, compiled);
    return compiled;
  }

  return {
    async compile(format) {
      const { position } = compile(format);
      return { start: () => createMatcher(position, written, vocabulary.bytesOf) };
    },
    dispose: kept.clear,
  };
}

type Compiled = { readonly position: Position; readonly steps: number };
