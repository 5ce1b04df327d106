import type { SummarizeRequest, Summary } from "../../contract.ts";
import type { PlanTask, Rows } from "../plan.ts";
import { CHOSEN_MAX, checkCount, PLANNED_INPUTS_MAX, within } from "./limits.ts";
import { checkSegmentable, type Segment, sentencesIn } from "./segments.ts";
import { centroidOf, chooseDiverse, directionsOf, dot } from "./vectors.ts";

const SENTENCES_DEFAULT = 3;
/** Nearness to the whole counts more than being unlike what is taken: enough against saying a thing twice. */
const DIVERSITY = 0.3;

/**
 * Extractive summarisation over embeddings (centroid, Radev et al. 2004; Rossiello et al. 2017): the sentences nearest to the mean of all, less what
 * was said already, in their own order. Nothing is written anew: a summary is made of the text's own sentences.
 */
export const planSummarize: PlanTask<SummarizeRequest> = async (request, { coder }, signal) => {
  const count = within(request.sentences, { field: "sentences", min: 1, max: CHOSEN_MAX, otherwise: SENTENCES_DEFAULT });
  checkSegmentable(request.texts);
  const sentences = request.texts.map(sentencesIn);
  checkCount(sentences.flat().length, PLANNED_INPUTS_MAX, { field: "texts", what: "sentences" });
  const inputs = await coder.encode(
    sentences.flat().map(({ text }) => ({ kind: "text", text }) as const),
    { overlong: "cut" },
    signal,
  );
  let at = 0;
  const starts = sentences.map((some) => {
    at += some.length;
    return at - some.length;
  });
  const ofText = <T>(all: readonly T[], text: number) => all.slice(starts[text], (starts[text] ?? 0) + (sentences[text]?.length ?? 0));
  return {
    inputs,
    inputTokens: sentences.map((_, text) => ofText(inputs, text).reduce((sum, { ids }) => sum + ids.length, 0)),
    finish: (rows) => ({ task: "summarize", items: sentences.map((some, text) => summaryOf(some, ofText(rows, text), count)) }),
  };
};

function summaryOf(sentences: readonly Segment[], rows: readonly Rows[], count: number): Summary {
  const vectors = directionsOf(rows);
  const target = centroidOf(vectors);
  const chosen = chooseDiverse({ vectors, target, count, diversity: DIVERSITY }).sort((a, b) => a - b);
  const taken = chosen.flatMap((index) => {
    const [sentence, vector] = [sentences[index], vectors[index]];
    return sentence === undefined || vector === undefined ? [] : [{ ...sentence, score: dot(vector, target) }];
  });
  return { summary: taken.map(({ text }) => text).join(" "), sentences: taken.map(({ start, end, score }) => ({ start, end, score })) };
}
