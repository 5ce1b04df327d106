import * as z from "zod";
import type { Aggregation, ModelInput } from "../../shared/inference/contract.ts";
import type { TextTaskRequest } from "../../shared/inference/runtime/tasks/plan-task.ts";
import { type Reference, rankedAnswer, scoredAnswer } from "./answer.ts";

/** One question to a model with PyTorch's answer. */
export type ParityCase = {
  readonly request: TextTaskRequest;
  readonly expected: Reference;
  /** The input as the reference's tokenizer reads it, where the file says so. */
  readonly encoded?: { readonly input: ModelInput; readonly ids: readonly number[] };
};

const Score = z.object({ label: z.string(), score: z.number() });
const Classified = z.object({
  text: z.string(),
  text_pair: z.string().optional(),
  input_ids: z.array(z.int()),
  logits: z.array(z.number()),
  scores: z.array(Score),
});
const Embedded = z.object({ text: z.string(), input_ids: z.array(z.int()), embedding: z.array(z.number()) });
const Span = { start: z.int(), end: z.int(), score: z.number() };
const Group = z.object({ ...Span, entity_group: z.string(), word: z.string() });
const Token = z.object({ ...Span, entity: z.string(), index: z.int(), word: z.string() });
const Groups = z.array(Group);
const Tagged = z.object({
  text: z.string(),
  stride: z.int().optional(),
  none: z.array(Token).optional(),
  simple: Groups,
  first: Groups,
  average: Groups,
  max: Groups,
});
const Filling = z.object({ score: z.number(), token: z.int(), token_str: z.string(), sequence: z.string() });
const Filled = z.object({
  text: z.string(),
  top_k: z.int().optional(),
  targets: z.array(z.string()).optional(),
  result: z.array(z.union([Filling, z.array(Filling)])),
});
/** Parameters as transformers calls them; `top_k` is how many answers are listed where it is not said. */
const Answered = z.object({
  question: z.string(),
  context: z.string(),
  top_k: z.int().optional(),
  max_answer_len: z.int().optional(),
  max_seq_len: z.int().optional(),
  doc_stride: z.int().optional(),
  handle_impossible_answer: z.boolean().optional(),
  align_to_words: z.boolean().optional(),
  top: z.array(z.object({ ...Span, answer: z.string() })),
});
const Detected = z.object({
  text: z.string(),
  input_ids: z.array(z.int()),
  tokens: z.array(z.string()),
  replaced_probability: z.array(z.number()),
});
const Zero = z.object({
  text: z.string(),
  candidate_labels: z.array(z.string()),
  hypothesis_template: z.string().optional(),
  multi_label: z.boolean(),
  labels: z.array(z.string()),
  scores: z.array(z.number()),
});

const Expected = z.discriminatedUnion("task", [
  z.object({ task: z.literal("text-classification"), cases: z.array(Classified) }),
  z.object({ task: z.literal("feature-extraction"), cases: z.array(Embedded) }),
  z.object({ task: z.literal("token-classification"), cases: z.array(Tagged) }),
  z.object({ task: z.literal("fill-mask"), cases: z.array(Filled) }),
  z.object({ task: z.literal("question-answering"), cases: z.array(Answered) }),
  z.object({ task: z.literal("replaced-token-detection"), cases: z.array(Detected) }),
  z.object({ task: z.literal("zero-shot-classification"), cases: z.array(Zero) }),
  z.object({ task: z.literal("text-generation"), cases: z.array(z.unknown()) }),
]);

/** The cases in an `expected*.json`; of generation none, which has its own way of answering. Fails if the file has a form that is not known. */
export function casesIn(json: unknown): ParityCase[] {
  const expected = Expected.parse(json);
  switch (expected.task) {
    case "text-classification":
      return expected.cases.flatMap(classifyCases);
    case "feature-extraction":
      return expected.cases.map(embedCase);
    case "token-classification":
      return expected.cases.flatMap(tagCases);
    case "fill-mask":
      return expected.cases.map(fillCase);
    case "question-answering":
      return expected.cases.map(answerCase);
    case "replaced-token-detection":
      return expected.cases.map(detectCase);
    case "zero-shot-classification":
      return expected.cases.map(zeroShotCase);
    case "text-generation":
      return [];
  }
}

/** One request for all cases that ask in the same way, in their order; undefined if they do not. */
export function joined(cases: readonly ParityCase[]): TextTaskRequest | undefined {
  const [first, ...others] = cases.map(({ request }) => request);
  return others.reduce<TextTaskRequest | undefined>((all, next) => all && append(all, next), first);
}

/** Cases that can be asked together, in groups. */
export function groupsOf(cases: readonly ParityCase[]): ParityCase[][] {
  const groups: ParityCase[][] = [];
  for (const one of cases) {
    const group = groups.find(([first]) => first !== undefined && joined([first, one]) !== undefined);
    if (group === undefined) groups.push([one]);
    else group.push(one);
  }
  return groups;
}

function append(all: TextTaskRequest, next: TextTaskRequest): TextTaskRequest | undefined {
  const { values, how } = partsOf(all);
  const other = partsOf(next);
  if (how !== other.how) return undefined;
  // Both are of one task, so their inputs are of one kind.
  return { ...all, [fieldOf(all)]: [...values, ...other.values] } as TextTaskRequest;
}

/** A request's inputs, and how it asks. */
function partsOf(request: TextTaskRequest): { values: readonly unknown[]; how: string } {
  const field = fieldOf(request);
  const entries = Object.entries(request);
  const values: unknown = entries.find(([name]) => name === field)?.[1];
  return { values: Array.isArray(values) ? values : [], how: JSON.stringify(entries.filter(([name]) => name !== field)) };
}

function fieldOf(request: TextTaskRequest): string {
  switch (request.task) {
    case "embed":
    case "classify":
      return "inputs";
    case "answer":
      return "questions";
    case "rerank":
      return "documents";
    default:
      return "texts";
  }
}

function classifyCases({ text, text_pair: textPair, input_ids: ids, logits, scores }: z.infer<typeof Classified>): ParityCase[] {
  const input = { kind: "text", text, ...(textPair !== undefined && { textPair }) } as const;
  const request = { task: "classify", inputs: [input], overlong: "cut" } as const;
  const named: ParityCase = { request, expected: rankedAnswer(scores), encoded: { input, ids } };
  const tokens: ModelInput = { kind: "tokens", tokenIds: ids };
  // Ids alone cannot say where a second text begins.
  const asTokens = textPair === undefined ? [{ request: { ...request, inputs: [tokens] }, expected: named.expected }] : [];
  const raw = {
    request: { ...request, function: "none" } as const,
    expected: { numbers: logits.toSorted((a, b) => b - a), exact: named.expected.exact, isLogits: true },
  };
  // A multi-label head's logits rank like its scores, as every function here is monotone.
  return [named, raw, ...asTokens, ...rerankCases({ text, textPair, scores })];
}

/** A head with one label reranks, too: the first text is the query. */
function rerankCases({
  text,
  textPair,
  scores,
}: {
  text: string;
  textPair: string | undefined;
  scores: readonly z.infer<typeof Score>[];
}): ParityCase[] {
  const [only, ...others] = scores;
  if (textPair === undefined || only === undefined || others.length > 0 || only.label !== "LABEL_0") return [];
  const request = { task: "rerank", query: text, documents: [textPair], overlong: "cut" } as const;
  return [{ request, expected: { numbers: [only.score], exact: null } }];
}

function embedCase({ text, input_ids: ids, embedding }: z.infer<typeof Embedded>): ParityCase {
  const input = { kind: "text", text } as const;
  return {
    request: { task: "embed", inputs: [input], overlong: "cut" },
    expected: { numbers: embedding, exact: embedding.length },
    encoded: { input, ids },
  };
}

function tagCases(tagged: z.infer<typeof Tagged>): ParityCase[] {
  const { stride } = tagged;
  const ask = (aggregation: Aggregation) =>
    ({ task: "tag", texts: [tagged.text], aggregation, ...(stride !== undefined && { stride }) }) as const;
  const groups = (["simple", "first", "average", "max"] as const).map((aggregation) => ({
    request: ask(aggregation),
    expected: scoredAnswer(tagged[aggregation], ({ entity_group: label, word, start, end }) => [label, word, start, end, null]),
  }));
  if (tagged.none === undefined) return groups;
  const none = scoredAnswer(tagged.none, ({ entity, word, start, end, index }) => [entity, word, start, end, index]);
  return [{ request: ask("none"), expected: none }, ...groups];
}

function fillCase({ text, top_k: topK, targets, result }: z.infer<typeof Filled>): ParityCase {
  return {
    request: { task: "fill", texts: [text], ...(topK !== undefined && { topK }), ...(targets !== undefined && { targets }) },
    expected: scoredAnswer(result.flat(), ({ token, token_str: tokenText, sequence }) => [token, tokenText, sequence]),
  };
}

function answerCase({ question, context, top, ...how }: z.infer<typeof Answered>): ParityCase {
  const asked = {
    topK: how.top_k ?? top.length,
    answerTokensMax: how.max_answer_len,
    tokensMax: how.max_seq_len,
    docStride: how.doc_stride,
    allowsNone: how.handle_impossible_answer,
    alignsToWords: how.align_to_words,
  };
  const said = Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined));
  return {
    request: { task: "answer", questions: [{ question, context }], ...said },
    expected: scoredAnswer(top, ({ answer, start, end }) => [answer, start, end]),
  };
}

function detectCase({ text, input_ids: ids, tokens, replaced_probability: numbers }: z.infer<typeof Detected>): ParityCase {
  return {
    request: { task: "detect", texts: [text] },
    expected: { numbers, exact: tokens },
    encoded: { input: { kind: "text", text }, ids },
  };
}

function zeroShotCase(zero: z.infer<typeof Zero>): ParityCase {
  const { text, candidate_labels: labels, hypothesis_template: template, multi_label: isMultiLabel } = zero;
  return {
    request: { task: "zero-shot", texts: [text], labels, isMultiLabel, ...(template !== undefined && { template }) },
    expected: { numbers: zero.scores, exact: zero.labels },
  };
}
