import * as z from "zod";
import { textInput } from "../../../serve/ask.ts";
import type { Inputs } from "../request.ts";
import { type HfRule, inCharacters, likeInputs, parametersOf, resultOf, stated, textsOf } from "../rule.ts";

const WORDS_MAX = 5;

const KeywordParameters = z.strictObject({
  top_k: z.int().positive().max(1_000).nullish(),
  min_words: z.int().min(1).max(WORDS_MAX).nullish(),
  max_words: z.int().min(1).max(WORDS_MAX).nullish(),
  diversity: z.number().min(0).max(1).nullish(),
});

const SummaryParameters = z.strictObject({ sentences: z.int().min(1).max(100).nullish() });

export const Keyword = z.object({ keyword: z.string(), score: z.number() });
export const Summary = z.object({
  summary_text: z.string(),
  sentences: z.array(z.object({ start: z.int(), end: z.int(), score: z.number() })),
});

/** Words and phrases of the text itself, chosen by their embeddings. */
export const keywordExtraction: HfRule = {
  task: "keywords",
  plan(_, request) {
    const { top_k, min_words, max_words, diversity } = parametersOf(request, KeywordParameters);
    return {
      request: {
        task: "keywords",
        texts: nonEmpty(request.inputs),
        ...stated({ topK: top_k, wordsMin: min_words, wordsMax: max_words, diversity }),
      },
      render: (result) => likeInputs(request.inputs, resultOf(result, "keywords").items),
    };
  },
};

/** Sentences of the text itself, chosen by their embeddings: nothing is written anew. In the shape that clients read a summary in. */
export const extractiveSummarization: HfRule = {
  task: "summarize",
  plan(_, request) {
    const { sentences } = parametersOf(request, SummaryParameters);
    const texts = nonEmpty(request.inputs);
    return {
      request: { task: "summarize", texts, ...stated({ sentences }) },
      render(result) {
        const { items } = resultOf(result, "summarize");
        const places = inCharacters(
          texts,
          items.map((item) => item.sentences),
        );
        return items.map(({ summary }, index) => ({ summary_text: summary, sentences: places[index] ?? [] }));
      },
    };
  },
};

function nonEmpty(inputs: Inputs): string[] {
  return textsOf(inputs).map(({ text, field }) => {
    textInput(text, field);
    return text;
  });
}
