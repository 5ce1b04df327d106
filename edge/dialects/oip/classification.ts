import { Failure } from "../../../shared/base/failure.ts";
import type { Datatype } from "../../../shared/oip/datatype.ts";
import { elementsOfBytes } from "../../../shared/oip/elements.ts";
import { type OutputTensor, textTensor } from "./output-tensor.ts";

/** Digits that a 32-bit float needs to be read back as itself. */
const DIGITS = 9;

/** Whether an output's numbers can be ranked: scores and logits are. */
export function isRankable(datatype: Datatype): datatype is "FP16" | "FP32" | "FP64" {
  return datatype === "FP16" || datatype === "FP32" || datatype === "FP64";
}

/**
 * Triton's classification extension: instead of an output's numbers the `classes` largest along its last dimension, as texts `value:index[:label]`,
 * the largest first. Triton takes all dimensions but the first together; for a head of one row per text that is the same.
 */
export function classify(tensor: OutputTensor, classes: number): OutputTensor {
  const { name, shape, content, labelsOf } = tensor;
  if (content.datatype === "BYTES" || !isRankable(content.datatype))
    throw new Error(`${name} is ${content.datatype}, which was to be refused before`);
  const values = elementsOfBytes(content.datatype, content.bytes).map(Number);
  if (values.some(Number.isNaN)) throw new Failure("engine_failed", `The output '${name}' holds what is not a number.`);
  const width = shape.at(-1) ?? 1;
  const kept = Math.min(classes, width);
  const texts = Array.from({ length: values.length / width }, (_, row) =>
    largest(values.slice(row * width, (row + 1) * width), { kept, labels: labelsOf?.(row) }),
  );
  return textTensor(name, [...shape.slice(0, -1), kept], texts.flat());
}

function largest(values: readonly number[], { kept, labels }: { kept: number; labels: readonly string[] | undefined }): string[] {
  const ranked = values.map((value, index) => ({ value, index })).sort((a, b) => b.value - a.value || a.index - b.index);
  return ranked.slice(0, kept).map(({ value, index }) => {
    const label = labels?.[index];
    return `${Number(value.toPrecision(DIGITS))}:${index}${label === undefined ? "" : `:${label}`}`;
  });
}
