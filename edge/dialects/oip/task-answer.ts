import type { Answered, Filled, LabelScore, TaskRequest, TaskResult } from "../../../shared/inference/contract.ts";
import type { VersionFacts } from "../../../shared/models/version.ts";
import type { Datatype } from "../../../shared/oip/datatype.ts";
import { createCharacterCounter } from "../characters.ts";
import { floatTensor, graphTensor, integerTensor, jsonTensor, type OutputTensor, textTensor } from "./output-tensor.ts";
import type { TextTask } from "./task-request.ts";

/** What a tensor is, before any data: -1 is any size. */
export type TensorFacts = { readonly name: string; readonly datatype: Datatype; readonly shape: readonly number[] };

/** The outputs of a task for n texts. Where rows have no common shape, an output is one JSON text a row; places count Unicode characters. */
export function outputsOfTask(task: TextTask, { dimensions = -1, labels }: Pick<VersionFacts, "dimensions" | "labels">): TensorFacts[] {
  switch (task) {
    case "embed":
      return [{ name: "embedding", datatype: "FP32", shape: [-1, dimensions] }];
    case "classify":
      return [{ name: "scores", datatype: "FP32", shape: [-1, labels?.length ?? -1] }, column("label", "BYTES")];
    case "tag":
      return [column("entities", "BYTES")];
    case "answer":
      return [
        ...[column("answer", "BYTES"), column("score", "FP32"), column("start", "INT32"), column("end", "INT32")],
        column("answers", "BYTES"),
      ];
    case "fill":
      return [column("fills", "BYTES")];
    case "zero-shot":
      return [
        { name: "labels", datatype: "BYTES", shape: [-1, -1] },
        { name: "scores", datatype: "FP32", shape: [-1, -1] },
      ];
    case "rerank":
      return [column("scores", "FP32")];
    case "detect":
      return [column("tokens", "BYTES")];
    case "keywords":
      return [column("keywords", "BYTES")];
    case "summarize":
      return [column("summary", "BYTES"), column("sentences", "BYTES")];
  }
}

/** The tensors of a result, in the order of `outputsOfTask`; `request` is what it answers. */
export function tensorsOfResult(result: TaskResult, request: TaskRequest): OutputTensor[] {
  const texts = textsOf(request);
  const counted = <S extends { readonly start: number; readonly end: number }>(row: number, spans: readonly S[]) =>
    spans.map(createCharacterCounter(texts[row] ?? ""));
  switch (result.task) {
    case "embed": {
      const { vectors, dimensions } = result;
      return [floatTensor("embedding", [vectors.length / dimensions, dimensions], vectors)];
    }
    case "classify":
      return scoreTensors(result);
    case "tag":
      return [
        jsonTensor(
          "entities",
          result.items.map((items, row) => counted(row, items)),
        ),
      ];
    case "answer":
      return answerTensors(result.items.map((items, row) => counted(row, items)));
    case "fill":
      return [
        jsonTensor(
          "fills",
          result.items.map((masks) => masks.map((fills) => fills.map(fillRow))),
        ),
      ];
    case "zero-shot":
      return rankingTensors(result.items);
    case "rerank":
      return [floatTensor("scores", [result.scores.length], result.scores)];
    case "detect":
      return [
        jsonTensor(
          "tokens",
          result.items.map((items, row) => counted(row, items)),
        ),
      ];
    case "keywords":
      return [jsonTensor("keywords", result.items)];
    case "summarize":
      return [
        textTensor(
          "summary",
          [result.items.length],
          result.items.map(({ summary }) => summary),
        ),
        jsonTensor(
          "sentences",
          result.items.map(({ sentences }, row) => counted(row, sentences)),
        ),
      ];
    case "forward":
      return result.tensors.map(graphTensor);
  }
}

function scoreTensors({ labels, scores }: { labels: readonly string[]; scores: Float32Array }): OutputTensor[] {
  const count = scores.length / labels.length;
  const likeliest = Array.from({ length: count }, (_, row) => {
    const ofRow = scores.subarray(row * labels.length, (row + 1) * labels.length);
    return labels[ofRow.indexOf(Math.max(...ofRow))] ?? "";
  });
  return [{ ...floatTensor("scores", [count, labels.length], scores), labelsOf: () => labels }, textTensor("label", [count], likeliest)];
}

/** The best answer of each question as columns; a question without any has an empty one of score 0, as transformers answers. */
function answerTensors(items: readonly (readonly Answered[])[]): OutputTensor[] {
  const best = items.map(([first]): Answered => first ?? { answer: "", score: 0, start: 0, end: 0 });
  const shape = [best.length];
  return [
    textTensor(
      "answer",
      shape,
      best.map(({ answer }) => answer),
    ),
    floatTensor(
      "score",
      shape,
      best.map(({ score }) => score),
    ),
    integerTensor(
      "start",
      shape,
      best.map(({ start }) => start),
    ),
    integerTensor(
      "end",
      shape,
      best.map(({ end }) => end),
    ),
    jsonTensor("answers", items),
  ];
}

/** Every text has every label, the best first. */
function rankingTensors(items: readonly (readonly LabelScore[])[]): OutputTensor[] {
  const shape = [items.length, items[0]?.length ?? 0];
  const labels = items.map((ranking) => ranking.map(({ label }) => label));
  const scores = items.flatMap((ranking) => ranking.map(({ score }) => score));
  return [textTensor("labels", shape, labels.flat()), { ...floatTensor("scores", shape, scores), labelsOf: (row) => labels[row] }];
}

function fillRow({ score, token, tokenText, sequence }: Filled) {
  return { score, token, token_str: tokenText, sequence };
}

/** The texts that a result's places are counted in. */
function textsOf(request: TaskRequest): readonly string[] {
  if ("texts" in request) return request.texts;
  return "questions" in request ? request.questions.map(({ context }) => context) : [];
}

function column(name: string, datatype: Datatype): TensorFacts {
  return { name, datatype, shape: [-1] };
}
