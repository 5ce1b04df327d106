import { Failure } from "../../../base/failure.ts";
import { entailmentOf } from "../../../models/tasks.ts";
import type { LabelScore, ZeroShotRequest } from "../../contract.ts";
import type { PlanTask, Rows, TaskPlan } from "../plan.ts";
import { checkCount, LABELS_MAX, naming, PLANNED_INPUTS_MAX } from "./limits.ts";
import { sigmoid, softmax } from "./numbers.ts";
import { directionsOf, dot } from "./vectors.ts";

const TEMPLATE_DEFAULT = "This example is {}.";

/**
 * What cosines are divided by before the softmax. Cosines of one model's sentences lie close together, so that without it every label would seem
 * equally likely; 0.05 is what contrastive models of sentences are trained with (SimCSE, Gao et al. 2021).
 */
const LIKENESS_TEMPERATURE = 0.05;

/** Which labels fit a text: by entailment with a natural-language-inference head, else by likeness of embeddings. */
export const planZeroShot: PlanTask<ZeroShotRequest> = async (request, model, signal) => {
  const hypotheses = hypothesesOf(request);
  return model.facts.head === "embed"
    ? planByLikeness(request, hypotheses, { ...model, signal })
    : planByEntailment(request, hypotheses, { ...model, signal });
};

type Model = Parameters<PlanTask<ZeroShotRequest>>[1] & { readonly signal: AbortSignal | undefined };

/**
 * transformers 5.18, `ZeroShotClassificationPipeline`: every text with every label as premise and hypothesis, all in one plan. With one answer the
 * labels share a softmax over entailment; with several each has its own against contradiction. Only the text is cut if a pair is too long.
 */
async function planByEntailment(
  request: ZeroShotRequest,
  hypotheses: readonly string[],
  { coder, facts, signal }: Model,
): Promise<TaskPlan> {
  const count = hypotheses.length;
  checkCount(request.texts.length * count, PLANNED_INPUTS_MAX, { field: "labels", what: "pairs of text and label" });
  const pairs = request.texts.flatMap((text) => hypotheses.map((textPair) => ({ kind: "text", text, textPair }) as const));
  const inputs = await naming(coder.encode(pairs, { overlong: "cut-first" }, signal), (index) => `labels.${index % count}`);
  const head = nliOf(facts.labels ?? []);
  return {
    inputs,
    inputTokens: request.texts.map((_, text) => tokensOf(inputs.slice(text * count, (text + 1) * count))),
    finish: (rows) => {
      const items = request.texts.map((_, text) => {
        const scores = entailed(rows.slice(text * count, (text + 1) * count), head, isIndependent(request));
        return ranked(request.labels, scores);
      });
      return { task: "zero-shot", items };
    },
  };
}

/**
 * By embeddings: the cosine of the text and the template filled with each label, as a softmax over the labels; where several may fit, the cosine
 * itself, not below 0. This is likeness and no entailment: it knows what a text is about, not what follows from it.
 */
async function planByLikeness(request: ZeroShotRequest, hypotheses: readonly string[], { coder, signal }: Model): Promise<TaskPlan> {
  const said = [...hypotheses, ...request.texts].map((text) => ({ kind: "text", text }) as const);
  const inputs = await coder.encode(said, { overlong: "cut" }, signal);
  const count = hypotheses.length;
  // The labels are read once for all texts, and counted with the first.
  const inputTokens = request.texts.map(
    (_, text) => tokensOf(inputs.slice(count + text, count + text + 1)) + (text === 0 ? tokensOf(inputs.slice(0, count)) : 0),
  );
  return {
    inputs,
    inputTokens,
    finish: (rows) => {
      const vectors = directionsOf(rows);
      const labels = vectors.slice(0, count);
      const items = vectors.slice(count).map((text) => {
        const cosines = labels.map((label) => dot(text, label));
        const scores = isIndependent(request)
          ? cosines.map((cosine) => Math.max(0, cosine))
          : softmax(cosines.map((cosine) => cosine / LIKENESS_TEMPERATURE));
        return ranked(request.labels, scores);
      });
      return { task: "zero-shot", items };
    },
  };
}

function hypothesesOf({ labels, template = TEMPLATE_DEFAULT }: ZeroShotRequest): string[] {
  if (labels.length === 0) throw new Failure("invalid_request", "There are no labels to choose from.", { field: "labels" });
  checkCount(labels.length, LABELS_MAX, { field: "labels", what: "labels" });
  if (!template.includes("{}"))
    throw new Failure("invalid_request", "The template must hold {}, where the label goes.", { field: "template" });
  return labels.map((label) => template.replaceAll("{}", () => label));
}

/** One label has nobody to compete with. */
const isIndependent = ({ isMultiLabel, labels }: ZeroShotRequest) => isMultiLabel === true || labels.length === 1;

type Nli = { readonly entailment: number; readonly contradiction: number };

/** `entailment_id`, and what stands for contradiction: the first label, or the last if entailment is the first. */
function nliOf(labels: readonly string[]): Nli {
  const entailment = entailmentOf(labels) ?? labels.length - 1;
  return { entailment, contradiction: entailment === 0 ? labels.length - 1 : 0 };
}

function entailed(rows: readonly Rows[], { entailment, contradiction }: Nli, independent: boolean): ArrayLike<number> {
  const logitsOf = (index: number) => rows.map(({ values }) => values[index] ?? 0);
  const entailments = logitsOf(entailment);
  if (!independent) return softmax(entailments);
  const contradictions = logitsOf(contradiction);
  // The softmax of two is the sigmoid of their difference.
  return entailments.map((logit, label) => sigmoid(logit - (contradictions[label] ?? 0)));
}

function ranked(labels: readonly string[], scores: ArrayLike<number>): LabelScore[] {
  return labels.map((label, index) => ({ label, score: scores[index] ?? 0 })).sort((a, b) => b.score - a.score);
}

const tokensOf = (inputs: readonly { readonly ids: Int32Array }[]) => inputs.reduce((sum, { ids }) => sum + ids.length, 0);
