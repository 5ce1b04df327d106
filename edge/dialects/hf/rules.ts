import { Failure } from "../../../shared/base/failure.ts";
import type { Head, ReadyVersion } from "../../../shared/models/version.ts";
import type { HfRequest } from "./request.ts";
import type { HfRule } from "./rule.ts";
import { textClassification, zeroShotClassification } from "./tasks/classification.ts";
import { extractiveSummarization, keywordExtraction } from "./tasks/extracts.ts";
import { isQuestion, isRanking, questionAnswering, textRanking } from "./tasks/questions.ts";
import { fillMask, replacedTokenDetection, tokenClassification } from "./tasks/tokens.ts";
import { featureExtraction, isComparison, sentenceSimilarity } from "./tasks/vectors.ts";

/** By the names that `/pipeline/{task}` takes; text generation is streamed and has a way of its own. */
export const HF_RULES = {
  "feature-extraction": featureExtraction,
  "sentence-similarity": sentenceSimilarity,
  "text-classification": textClassification,
  "zero-shot-classification": zeroShotClassification,
  "token-classification": tokenClassification,
  "question-answering": questionAnswering,
  "fill-mask": fillMask,
  "text-ranking": textRanking,
  "replaced-token-detection": replacedTokenDetection,
  "keyword-extraction": keywordExtraction,
  "extractive-summarization": extractiveSummarization,
} as const satisfies Readonly<Record<string, HfRule>>;
export type HfTask = keyof typeof HF_RULES | typeof TEXT_GENERATION;

export const TEXT_GENERATION = "text-generation";
export const HF_TASKS: readonly string[] = [...Object.keys(HF_RULES), TEXT_GENERATION];

const OF_HEAD: Readonly<Record<Head, HfTask>> = {
  embed: "feature-extraction",
  classify: "text-classification",
  tag: "token-classification",
  answer: "question-answering",
  fill: "fill-mask",
  detect: "replaced-token-detection",
  generate: TEXT_GENERATION,
};

/** The task that a path such as `/pipeline/feature-extraction` names. */
export function hfTaskOf(name: string): HfTask {
  if (HF_TASKS.includes(name)) return name as HfTask; // the list holds nothing else
  throw new Failure("invalid_request", `The task must be one of ${HF_TASKS.join(", ")}.`, { field: "task" });
}

/** Which task a request without a named one means: the form of its inputs may tell, else the model's head does. */
export function meantTask({ facts }: ReadyVersion, { inputs, parameters }: HfRequest): HfTask {
  if (isComparison(inputs)) return "sentence-similarity";
  if (isQuestion(inputs)) return "question-answering";
  if (isRanking(inputs)) return "text-ranking";
  if (parameters !== null && parameters !== undefined && "candidate_labels" in parameters) return "zero-shot-classification";
  return OF_HEAD[facts.head];
}
