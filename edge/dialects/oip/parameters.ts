import * as z from "zod";
import { Task } from "../../../shared/models/tasks.ts";
import { refusal } from "../../../shared/oip/refusal.ts";

const LIST_ITEMS_MAX = 500;
/** A list as one text is taken apart at once. */
const LIST_CHARS_MAX = 100_000;
const Texts = z.array(z.string().min(1)).min(1).max(LIST_ITEMS_MAX);

/** A list of texts: the protocol's parameters are texts, numbers and truth values, so it may also come as one text, as a JSON array or with commas between. */
const TextList = z.union([Texts, z.string().transform(listOf).pipe(Texts)]);
const Count = z.int().positive();

/** Triton's, in microseconds: 0 says nothing, as there. */
export const Timeout = z.int().min(0).meta({
  description:
    "Microseconds from acceptance in which all has to be done, else the answer is 504; 0, or more than the gateway waits, changes nothing",
});

/** Milliseconds in which all has to be done; undefined where the caller leaves it to us. */
export function withinMsOf(timeout: number | null | undefined): number | undefined {
  return timeout ? Math.ceil(timeout / 1_000) : undefined;
}

/**
 * The protocol leaves parameters to servers. These are ours, named as transformers names them; each task takes some of them. Of what clients of Triton send
 * by habit only `timeout` means anything.
 */
export const Parameters = z.looseObject({
  task: Task.optional().meta({ description: "One of the version's tasks; absent, its head's own" }),
  binary_data_output: z.boolean().optional(),
  timeout: Timeout.optional(),
  truncate: z.boolean().optional().meta({ description: "embed, classify, rerank: false refuses over-long texts instead of cutting them" }),
  normalize: z.boolean().optional().meta({ description: "embed" }),
  dimensions: Count.optional().meta({ description: "embed: keeps the first elements of each vector" }),
  function_to_apply: z.enum(["softmax", "sigmoid", "none"]).optional().meta({ description: "classify" }),
  aggregation_strategy: z.enum(["none", "simple", "first", "average", "max"]).optional().meta({ description: "tag; absent, simple" }),
  ignore_labels: TextList.optional().meta({ description: "tag; absent, O" }),
  stride: z.int().min(0).optional().meta({ description: "tag: tokens that neighbouring windows share" }),
  top_k: Count.optional().meta({ description: "answer, fill, keywords" }),
  doc_stride: z.int().min(0).optional().meta({ description: "answer" }),
  max_seq_len: Count.optional().meta({ description: "answer" }),
  max_question_len: Count.optional().meta({ description: "answer" }),
  max_answer_len: Count.optional().meta({ description: "answer" }),
  handle_impossible_answer: z.boolean().optional().meta({ description: "answer" }),
  align_to_words: z.boolean().optional().meta({ description: "answer" }),
  targets: TextList.optional().meta({ description: "fill: only these words are scored" }),
  candidate_labels: TextList.optional().meta({ description: "zero-shot" }),
  hypothesis_template: z.string().max(1_000).optional().meta({ description: "zero-shot: {} stands for the label" }),
  multi_label: z.boolean().optional().meta({ description: "zero-shot" }),
  raw_scores: z.boolean().optional().meta({ description: "rerank: a cross-encoder's logits as they are" }),
  words_min: Count.optional().meta({ description: "keywords: words of a candidate; absent, 1" }),
  words_max: Count.optional().meta({ description: "keywords; absent, 2" }),
  diversity: z.number().min(0).max(1).optional().meta({ description: "keywords: 0 the nearest to the text, 1 the least alike" }),
  sentences: Count.optional().meta({ description: "summarize" }),
});
export type Parameters = z.infer<typeof Parameters>;

/** Names that have a meaning for every task, or that clients of other servers send by habit. */
const RESERVED = /^(task|binary_data_output|sequence_id|sequence_start|sequence_end|priority|timeout|headers|content_type|triton_.*)$/;

/** Refuses parameters that the task does not take, since leaving one out would change what the caller gets. */
export function assertParameters(parameters: Parameters, task: Task, known: readonly string[]) {
  const strange = Object.keys(parameters).find((name) => !known.includes(name) && !RESERVED.test(name));
  if (strange === undefined) return;
  const isOurs = Object.hasOwn(Parameters.shape, strange);
  throw refusal(`parameters.${strange}`, isOurs ? `has no meaning for the task '${task}'` : "is not a parameter of this server");
}

function listOf(text: string): unknown[] {
  if (text.length > LIST_CHARS_MAX) return [];
  if (!text.trimStart().startsWith("[")) return text.split(",").map((each) => each.trim());
  try {
    return JSON.parse(text);
  } catch {
    return []; // which is no list of texts, and refused as such
  }
}
