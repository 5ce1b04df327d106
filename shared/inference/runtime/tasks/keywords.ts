import { Failure } from "../../../base/failure.ts";
import type { Keyword, KeywordsRequest } from "../../contract.ts";
import type { PlanTask, Rows } from "../plan.ts";
import { CHOSEN_MAX, checkCount, KEYWORD_WORDS_MAX, PLANNED_INPUTS_MAX, within } from "./limits.ts";
import { checkSegmentable, sentencesIn, wordsIn } from "./segments.ts";
import { isStopWord } from "./stop-words.ts";
import { chooseDiverse, directionsOf, dot } from "./vectors.ts";

const TOP_K_DEFAULT = 5;
const WORDS_MIN_DEFAULT = 1;
const WORDS_MAX_DEFAULT = 2;
const DIVERSITY_DEFAULT = 0.5;

type Choice = { readonly topK: number; readonly diversity: number };

/**
 * Keyword extraction over embeddings (KeyBERT, Grootendorst 2020): of the n-grams of a text those that are nearest to it and unlike each other. A
 * candidate lies within one sentence, is compared in lower case and neither begins nor ends with an English stop word; other languages
 * have none here. Its score is the cosine with the text, which is cut where the model stops reading; candidates come from all of it.
 */
export const planKeywords: PlanTask<KeywordsRequest> = async (request, { coder }, signal) => {
  const choice = {
    topK: within(request.topK, { field: "topK", min: 1, max: CHOSEN_MAX, otherwise: TOP_K_DEFAULT }),
    diversity: diversityOf(request),
  };
  const candidates = candidatesOf(request);
  const read = request.texts.map((text, index) => [text, ...(candidates[index] ?? [])]);
  const inputs = await coder.encode(
    read.flat().map((text) => ({ kind: "text", text }) as const),
    { overlong: "cut" },
    signal,
  );
  const ends = endsOf(read);
  return {
    inputs,
    inputTokens: ends.map(({ start, end }) => inputs.slice(start, end).reduce((sum, { ids }) => sum + ids.length, 0)),
    finish: (rows) => ({
      task: "keywords",
      items: ends.map(({ start, end }, index) => keywordsOf(candidates[index] ?? [], rows.slice(start, end), choice)),
    }),
  };
};

function diversityOf({ diversity = DIVERSITY_DEFAULT }: KeywordsRequest): number {
  if (diversity >= 0 && diversity <= 1) return diversity;
  throw new Failure("invalid_request", "diversity must be from 0 to 1.", { field: "diversity" });
}

function candidatesOf({ texts, wordsMin, wordsMax }: KeywordsRequest): string[][] {
  checkSegmentable(texts);
  const least = within(wordsMin, { field: "wordsMin", min: 1, max: KEYWORD_WORDS_MAX, otherwise: WORDS_MIN_DEFAULT });
  const most = within(wordsMax, { field: "wordsMax", min: least, max: KEYWORD_WORDS_MAX, otherwise: Math.max(least, WORDS_MAX_DEFAULT) });
  const candidates = texts.map((text) => phrasesIn(text, { least, most }));
  checkCount(candidates.flat().length + texts.length, PLANNED_INPUTS_MAX, { field: "texts", what: "texts and candidates for keywords" });
  return candidates;
}

/** Each once, in the order of the text. */
function phrasesIn(text: string, { least, most }: { least: number; most: number }): string[] {
  const phrases = new Set<string>();
  for (const sentence of sentencesIn(text)) {
    const words = wordsIn(sentence.text.toLowerCase());
    for (let first = 0; first < words.length; first += 1) {
      for (let count = least; count <= most && first + count <= words.length; count += 1) {
        const phrase = words.slice(first, first + count);
        if (!isStopWord(phrase[0]) && !isStopWord(phrase.at(-1))) phrases.add(phrase.join(" "));
      }
    }
  }
  return [...phrases];
}

/** Where each text's inputs stand among all. */
function endsOf(read: readonly (readonly string[])[]): { start: number; end: number }[] {
  let end = 0;
  return read.map((some) => {
    end += some.length;
    return { start: end - some.length, end };
  });
}

function keywordsOf(candidates: readonly string[], rows: readonly Rows[], { topK, diversity }: Choice): Keyword[] {
  const [target, ...vectors] = directionsOf(rows);
  if (target === undefined) return [];
  const chosen = chooseDiverse({ vectors, target, count: topK, diversity });
  return chosen
    .map((index) => ({ keyword: candidates[index] ?? "", score: dot(vectors[index] ?? target, target) }))
    .sort((a, b) => b.score - a.score);
}
