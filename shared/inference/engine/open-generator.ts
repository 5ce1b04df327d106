import { randomInt } from "node:crypto";
import { systemClock } from "../../base/clock.ts";
import type { Sampling } from "../generation.ts";
import { decoderConfigOf } from "../runtime/generate/decoder.ts";
import { createGenerator, type Generator } from "../runtime/generate/generator.ts";
import type { GrammarCompiler } from "../runtime/grammar/grammar.ts";
import { type ModelFiles, type ModelSettings, readModelFiles } from "../runtime/model-files.ts";
import type { Session } from "../runtime/session.ts";
import { readVocabulary, type Vocabulary } from "../runtime/vocabulary.ts";
import type { Graph } from "./worker-protocol.ts";

export type GenerationLimits = {
  /** Sequences that one step computes together. */
  readonly choicesMax: number;
  /** Bytes of the caches of one worker's generations. */
  readonly cacheBytesMax: number;
};

/** Choices that wait in a worker for memory; the line before workers is the pool's. */
const WAITING_CHOICES_MAX = 256;
/** New tokens of all choices of a request. */
const ORDER_TOKENS_MAX = 131_072;
/** Prompt tokens between two steps of those that run: about as long as a few of their steps, so that a long prompt stalls nobody. */
const PROMPT_TOKENS_PER_STEP = 32;
const SEED_MAX = 2 ** 47;

/** Makes a decoder's session generate: with its vocabulary, its ends and its own defaults of sampling, all read from its folder. */
export async function openGenerator(session: Session, graph: Graph, limits: GenerationLimits): Promise<Generator> {
  const files = await readModelFiles(graph.folder);
  const { settings } = files;
  const vocabulary = readVocabulary(files.tokenizer);
  const grammars = openGrammars(files, vocabulary);
  return createGenerator({
    session,
    config: decoderConfigOf(settings),
    vocabulary,
    endTokens: settings.generation.eosIds,
    defaults: defaultsOf(settings),
    isBatched: graph.isBatched,
    limits: {
      rowsMax: limits.choicesMax,
      cacheBytesMax: limits.cacheBytesMax,
      waitingChoicesMax: WAITING_CHOICES_MAX,
      orderTokensMax: ORDER_TOKENS_MAX,
      promptTokensPerStep: PROMPT_TOKENS_PER_STEP,
    },
    clock: systemClock,
    nextSeed: () => randomInt(SEED_MAX),
    startMatcher: async (format) => (await (await grammars()).compile(format)).start(),
  });
}

/** Loaded with the first request that wants a grammar: most want none. */
function openGrammars({ settings }: ModelFiles, vocabulary: Vocabulary): () => Promise<GrammarCompiler> {
  let opened: Promise<GrammarCompiler> | undefined;
  const open = async () => {
    const { createGrammarCompiler } = await import("../runtime/grammar/grammar.ts");
    const bytesOf = Array.from({ length: vocabulary.size }, (_, token) => {
      const bytes = vocabulary.isSpecial(token) ? undefined : vocabulary.bytesOf(token);
      return bytes?.length === 0 ? undefined : bytes;
    });
    return createGrammarCompiler({ bytesOf, eosIds: settings.generation.eosIds });
  };
  return () => {
    const grammars = opened ?? open();
    opened = grammars;
    return grammars;
  };
}

/** What generation_config.json says; without a word there, a temperature of 1, as OpenAI has it. */
function defaultsOf({ generation }: ModelSettings): Sampling {
  const { temperature, topK, topP, minP, repetitionPenalty } = generation;
  return {
    ...(temperature !== undefined && { temperature }),
    ...(topK !== undefined && { topK }),
    ...(topP !== undefined && { topP }),
    ...(minP !== undefined && { minP }),
    ...(repetitionPenalty !== undefined && { repetitionPenalty }),
  };
}
