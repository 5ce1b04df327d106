import * as z from "zod";
import type { InferenceResult, TaskResult } from "../../../shared/inference/contract.ts";
import type { ReadyVersion } from "../../../shared/models/version.ts";
import { type InferRequest, refusal } from "./request.ts";

/** What a tensor is, before any data: -1 is any size. */
export const TensorMetadata = z.object({ name: z.string(), datatype: z.string(), shape: z.array(z.int()) }).meta({ id: "TensorMetadata" });
export type TensorMetadata = z.infer<typeof TensorMetadata>;

const OutputTensor = z.object({
  name: z.string(),
  shape: z.array(z.int()),
  datatype: z.string(),
  data: z.array(z.union([z.number(), z.string()])),
});
type OutputTensor = z.infer<typeof OutputTensor>;

export const InferAnswer = z
  .object({ model_name: z.string(), model_version: z.string(), id: z.string(), outputs: z.array(OutputTensor) })
  .meta({ id: "InferAnswer" });
export type InferAnswer = z.infer<typeof InferAnswer>;

export function inputsOf({ facts }: ReadyVersion): TensorMetadata[] {
  const text = { name: "text", datatype: "BYTES", shape: [-1] };
  return facts.task === "classify" ? [text, { ...text, name: "text_pair" }] : [text];
}

export function outputsOf({ facts }: ReadyVersion): TensorMetadata[] {
  switch (facts.task) {
    case "embed":
      return [{ name: "embedding", datatype: "FP32", shape: [-1, facts.dimensions ?? -1] }];
    case "classify":
      return [
        { name: "scores", datatype: "FP32", shape: [-1, facts.labels?.length ?? -1] },
        { name: "label", datatype: "BYTES", shape: [-1] },
      ];
  }
}

/** The outputs that a request wants, which are all unless it names some. Refuses names that the version does not have. */
export function wantedOutputs(version: ReadyVersion, { outputs = [] }: InferRequest): ReadonlySet<string> {
  const names = outputsOf(version).map(({ name }) => name);
  for (const [index, { name, parameters }] of outputs.entries()) {
    if (!names.includes(name)) throw refusal(`outputs.${index}.name`, `must be one of ${names.join(", ")}`);
    if (parameters?.classification !== undefined) throw refusal(`outputs.${index}.parameters.classification`, "is not supported");
  }
  return new Set(outputs.length === 0 ? names : outputs.map(({ name }) => name));
}

export function tensorsOf({ body, inputTokens }: InferenceResult, wanted: ReadonlySet<string>): OutputTensor[] {
  return tensorsOfTask(body, inputTokens.length).filter(({ name }) => wanted.has(name));
}

function tensorsOfTask(body: TaskResult, count: number): OutputTensor[] {
  if (body.task === "embed") {
    return [{ name: "embedding", datatype: "FP32", shape: [count, body.dimensions], data: Array.from(body.vectors) }];
  }
  const { labels, scores } = body;
  const likeliest = Array.from({ length: count }, (_, row) => {
    const ofRow = scores.subarray(row * labels.length, (row + 1) * labels.length);
    return labels[ofRow.indexOf(Math.max(...ofRow))] ?? "";
  });
  return [
    { name: "scores", datatype: "FP32", shape: [count, labels.length], data: Array.from(scores) },
    { name: "label", datatype: "BYTES", shape: [count], data: likeliest },
  ];
}
