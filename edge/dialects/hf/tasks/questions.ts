import * as z from "zod";
import { Failure } from "../../../../shared/base/failure.ts";
import { textInput } from "../../../serve/ask.ts";
import type { Inputs, Question, Ranking } from "../request.ts";
import { type HfRule, inCharacters, likeInputs, parametersOf, resultOf, stated } from "../rule.ts";

/** https://huggingface.co/docs/inference-providers/tasks/question-answering */
const AnswerParameters = z.strictObject({
  top_k: z.int().positive().max(1_000).nullish(),
  doc_stride: z.int().positive().nullish(),
  max_seq_len: z.int().positive().nullish(),
  max_question_len: z.int().positive().nullish(),
  max_answer_len: z.int().positive().nullish(),
  handle_impossible_answer: z.boolean().nullish(),
  align_to_words: z.boolean().nullish(),
});

/** Those of text-embeddings-inference's `/rerank`. */
const RankParameters = z.strictObject({
  raw_scores: z.boolean().nullish(),
  return_text: z.boolean().nullish(),
  top_k: z.int().positive().nullish(),
  truncate: z.boolean().nullish(),
});

export const Answer = z.object({ answer: z.string(), score: z.number(), start: z.int(), end: z.int() });
export const Rank = z.object({ index: z.int(), score: z.number(), text: z.string().optional() });

/** A list of answers to a question, the best first; both official clients read a list, whatever `top_k` says. */
export const questionAnswering: HfRule = {
  task: "answer",
  plan(_, request) {
    const asked = parametersOf(request, AnswerParameters);
    const questions = questionsOf(request.inputs);
    return {
      request: {
        task: "answer",
        questions,
        ...stated({
          topK: asked.top_k,
          docStride: asked.doc_stride,
          tokensMax: asked.max_seq_len,
          questionTokensMax: asked.max_question_len,
          answerTokensMax: asked.max_answer_len,
          allowsNone: asked.handle_impossible_answer,
          alignsToWords: asked.align_to_words,
        }),
      },
      render: (result) => {
        const contexts = questions.map(({ context }) => context);
        return likeInputs(request.inputs, inCharacters(contexts, resultOf(result, "answer").items));
      },
    };
  },
};

export const textRanking: HfRule = {
  task: "rerank",
  plan(_, request) {
    const { raw_scores, return_text, top_k, truncate } = parametersOf(request, RankParameters);
    const { query, texts } = rankingOf(request.inputs);
    return {
      request: {
        task: "rerank",
        query,
        documents: texts,
        overlong: truncate === false ? "refuse" : "cut",
        ...stated({ isRaw: raw_scores }),
      },
      render: (result) =>
        resultOf(result, "rerank")
          .scores.map((score, index) => ({ index, score, ...(return_text === true ? { text: texts[index] ?? "" } : {}) }))
          .sort((a, b) => b.score - a.score)
          .slice(0, top_k ?? undefined),
    };
  },
};

function questionsOf(inputs: Inputs): Question[] {
  const all = Array.isArray(inputs) ? inputs : [inputs];
  return all.map((each, index) => {
    const field = Array.isArray(inputs) ? `inputs.${index}` : "inputs";
    if (!isQuestion(each)) throw new Failure("invalid_request", `${field}: must be {question, context}`, { field });
    textInput(each.question, `${field}.question`);
    textInput(each.context, `${field}.context`);
    return each;
  });
}

export function isQuestion(input: Inputs): input is Question {
  return typeof input === "object" && "question" in input;
}

function rankingOf(inputs: Inputs): Ranking {
  if (!isRanking(inputs)) throw new Failure("invalid_request", "inputs: must be {query, texts}", { field: "inputs" });
  textInput(inputs.query, "inputs.query");
  for (const [index, text] of inputs.texts.entries()) textInput(text, `inputs.texts.${index}`);
  return inputs;
}

export function isRanking(input: Inputs): input is Ranking {
  return typeof input === "object" && "query" in input;
}
