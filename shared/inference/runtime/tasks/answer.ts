import { Failure } from "../../../base/failure.ts";
import type { Answered, AnswerRequest } from "../../contract.ts";
import type { LocatedInput } from "../coder.ts";
import type { PlanTask, Rows, TaskModel } from "../plan.ts";
import { CHOSEN_MAX, checkCount, naming, PLANNED_INPUTS_MAX, within } from "./limits.ts";
import { softmax } from "./numbers.ts";

const TOKENS_DEFAULT = 384;
const STRIDE_DEFAULT = 128;
const ANSWER_TOKENS_DEFAULT = 15;

/** How answers are looked for, with everything decided. */
type Search = {
  readonly topK: number;
  /** Candidates of one window; some may fall away. */
  readonly candidates: number;
  readonly answerTokensMax: number;
  readonly allowsNone: boolean;
  readonly alignsToWords: boolean;
};

/**
 * Extractive question answering (transformers 4, `QuestionAnsweringPipeline`; version 5 has none): a long context is read in windows, and the best
 * spans of all windows are the answers. As there, one span may be answered twice if different tokens lead to the same words, and a question is cut
 * only if the caller says where.
 */
export const planAnswer: PlanTask<AnswerRequest> = async (request, model, signal) => {
  const search = searchOf(request, model.facts.tokensMax);
  const windows = await windowsOf(request, model, signal);
  checkCount(windows.flat().length, PLANNED_INPUTS_MAX, { field: "questions", what: "windows of contexts" });
  return {
    inputs: windows.flat(),
    inputTokens: windows.map((some) => some.reduce((sum, { ids }) => sum + ids.length, 0)),
    finish: (rows) => {
      let at = 0;
      const items = request.questions.map(({ context }, index) => {
        const some = windows[index] ?? [];
        at += some.length;
        return answersIn({ context, windows: some, rows: rows.slice(at - some.length, at) }, search);
      });
      return { task: "answer", items };
    },
  };
};

function searchOf({ topK, answerTokensMax, allowsNone, alignsToWords = true }: AnswerRequest, tokensMax: number): Search {
  const count = within(topK, { field: "topK", min: 1, max: CHOSEN_MAX, otherwise: 1 });
  return {
    topK: count,
    candidates: alignsToWords ? count * 2 + 10 : count,
    answerTokensMax: within(answerTokensMax, { field: "answerTokensMax", min: 1, max: tokensMax, otherwise: ANSWER_TOKENS_DEFAULT }),
    allowsNone: allowsNone ?? false,
    alignsToWords,
  };
}

async function windowsOf(request: AnswerRequest, { coder, facts }: TaskModel, signal?: AbortSignal) {
  request.questions.forEach((asked, index) => {
    for (const field of ["question", "context"] as const)
      if (asked[field] === "") throw new Failure("invalid_request", `The ${field} is empty.`, { field: `questions.${index}.${field}` });
  });
  const most = within(request.tokensMax, { field: "tokensMax", min: 1, max: Number.MAX_SAFE_INTEGER, otherwise: TOKENS_DEFAULT });
  const tokensMax = Math.min(most, facts.tokensMax);
  const stride = within(request.docStride, {
    field: "docStride",
    min: 0,
    max: tokensMax,
    otherwise: Math.min(Math.floor(tokensMax / 2), STRIDE_DEFAULT),
  });
  const { questionTokensMax } = request;
  const inputs = request.questions.map(({ question, context }) => ({ kind: "text", text: question, textPair: context }) as const);
  const how = {
    overlong: "windows",
    tokensMax,
    stride,
    ...(questionTokensMax !== undefined && { firstTokensMax: questionTokensMax }),
  } as const;
  return naming(coder.locate(inputs, how, signal), (index) => `questions.${index}`);
}

type Read = { readonly context: string; readonly windows: readonly LocatedInput[]; readonly rows: readonly Rows[] };

function answersIn({ context, windows, rows }: Read, search: Search): Answered[] {
  const answers: Answered[] = [];
  let noneScore = Number.POSITIVE_INFINITY;
  windows.forEach((window, at) => {
    const { spans, none } = spansIn(window, rows[at], search);
    noneScore = Math.min(noneScore, none);
    for (const { first, last, score } of spans) {
      const { start, end } = search.alignsToWords ? wordSpan(window, first, last) : tokenSpan(window, first, last);
      answers.push({ score, start, end, answer: context.slice(start, end) });
    }
  });
  if (search.allowsNone) answers.push({ score: noneScore, start: 0, end: 0, answer: "" });
  return answers.sort((a, b) => b.score - a.score).slice(0, search.topK);
}

/** Tokens from the first to the last. */
type TokenSpan = { readonly first: number; readonly last: number; readonly score: number };

/** `select_starts_ends` and `decode_spans`: the likeliest spans of a window, and how likely it is that there is none. */
function spansIn(window: LocatedInput, rows: Rows | undefined, search: Search): { spans: TokenSpan[]; none: number } {
  const starts = probabilitiesOf(window, rows, 0);
  const ends = probabilitiesOf(window, rows, 1);
  // The first token stands for "no answer" and can be no part of one.
  const none = (starts[0] ?? 0) * (ends[0] ?? 0);
  starts[0] = 0;
  ends[0] = 0;
  const spans: TokenSpan[] = [];
  for (let first = 0; first < starts.length; first += 1) {
    const lastMax = Math.min(ends.length - 1, first + search.answerTokensMax - 1);
    for (let last = first; last <= lastMax; last += 1) {
      const score = (starts[first] ?? 0) * (ends[last] ?? 0);
      if (score > 0) insertBest(spans, { first, last, score }, search.candidates);
    }
  }
  return { spans, none };
}

/** Over the context's tokens, and the first special one (`[CLS]`), wherever it occurs; what lies outside is as good as impossible (-10,000 there). */
function probabilitiesOf({ ids, parts }: LocatedInput, rows: Rows | undefined, column: 0 | 1): Float64Array {
  const noneId = parts[0] === 0 ? ids[0] : undefined;
  const logits = Float64Array.from(ids, (id, token) => {
    const isAllowed = parts[token] === 2 || id === noneId;
    return isAllowed ? (rows?.values[token * 2 + column] ?? 0) : Number.NEGATIVE_INFINITY;
  });
  // A window of a question alone, of a model without such a token, holds nothing that could be an answer.
  return logits.some(Number.isFinite) ? softmax(logits) : logits.fill(0);
}

/** Keeps the best of the spans, the first of equals first. */
function insertBest(spans: TokenSpan[], span: TokenSpan, count: number): void {
  const worst = spans.at(-1);
  if (spans.length === count && worst !== undefined && worst.score >= span.score) return;
  let at = spans.length;
  while (at > 0 && (spans[at - 1]?.score ?? 0) < span.score) at -= 1;
  spans.splice(at, 0, span);
  if (spans.length > count) spans.pop();
}

/** `token_to_word` and `word_to_chars`: from the first word's beginning to the last word's end, as far as this window has them. */
function wordSpan(window: LocatedInput, first: number, last: number) {
  const { words, parts, spans } = window;
  const [firstWord = -1, lastWord = -1] = [words[first], words[last]];
  if (firstWord < 0 || lastWord < 0) return tokenSpan(window, first, last);
  const isOf = (word: number) => (other: number, token: number) => other === word && parts[token] === 2;
  const from = words.findIndex(isOf(firstWord));
  const to = words.findLastIndex(isOf(lastWord));
  return { start: spans[2 * from] ?? 0, end: spans[2 * to + 1] ?? 0 };
}

const tokenSpan = ({ spans }: LocatedInput, first: number, last: number) => ({
  start: spans[2 * first] ?? 0,
  end: spans[2 * last + 1] ?? 0,
});
