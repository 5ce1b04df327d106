import * as z from "zod";
import { Score } from "./tasks/classification.ts";
import { Keyword, Summary } from "./tasks/extracts.ts";
import { Answer, Rank } from "./tasks/questions.ts";
import { Entity, Filling, Replaced } from "./tasks/tokens.ts";
import { Vector } from "./tasks/vectors.ts";
import { Generated } from "./text-generation.ts";

const said = <T extends z.ZodType>(schema: T, description: string) => schema.meta({ description });

/** The only shapes that `@huggingface/inference` and `huggingface_hub` both read. Of a list of inputs all but vectors and rankings come as a list of these. */
export const HfAnswer = z
  .union([
    said(Vector, "feature-extraction of one text: its vector; sentence-similarity: cosines"),
    said(z.array(Vector), "feature-extraction of a list: one vector for each text"),
    said(z.array(z.array(Score)), "text-classification: for each text its labels, the likeliest first"),
    said(z.array(Score), "zero-shot-classification: labels, the likeliest first"),
    said(z.array(Entity), "token-classification, in Unicode characters"),
    said(z.array(Answer), "question-answering: the best answer first, in Unicode characters"),
    said(z.array(Filling), "fill-mask with one mask: the likeliest first"),
    said(z.array(z.array(Filling)), "fill-mask with several masks"),
    said(z.array(Rank), "text-ranking: the best first"),
    said(z.array(Replaced), "replaced-token-detection: each token with the probability that it was replaced"),
    said(z.array(Keyword), "keyword-extraction: the best first"),
    said(z.array(Summary), "extractive-summarization"),
    said(z.array(Generated), "text-generation"),
    said(z.array(z.array(z.unknown())), "the answers to a list of inputs"),
  ])
  .meta({ id: "HfAnswer" });
