import { Failure } from "../../../shared/base/failure.ts";
import { elementsOfBytes } from "../../../shared/oip/elements.ts";
import { joinFrame } from "../../../shared/oip/frame.ts";
import { joinTexts } from "../../../shared/oip/payload.ts";
import { classify } from "./classification.ts";
import type { OutputTensor } from "./output-tensor.ts";
import type { Asked, WantedOutput } from "./request.ts";

/** Elements of one answer in JSON; more than this would hold up everybody while it is written. */
export const JSON_ELEMENTS_MAX = 2 * 1024 ** 2;

/** What is answered: JSON, or JSON of `headerBytes` and the binary tensors behind it. */
export type AnswerBody = { readonly body: Uint8Array; readonly headerBytes: number | undefined };

/** Writes the tensors that were asked for, in the order that they were asked for, each in its form. */
export function writeAnswer(
  tensors: readonly OutputTensor[],
  asked: Asked,
  head: { model_name: string; model_version: string; id: string },
): AnswerBody {
  const wanted =
    asked.outputs.length > 0 ? asked.outputs : tensors.map(({ name }) => ({ name, isBinary: asked.isBinary, classes: undefined }));
  const chosen = wanted.map((output) => chosenTensor(tensors, output));
  assertFewElements(chosen.filter(({ isBinary }) => !isBinary).map(({ tensor }) => tensor));
  const binaries = chosen.map(({ tensor, isBinary }) => (isBinary ? bytesOf(tensor) : undefined));
  const outputs = chosen.map(({ tensor }, index) => ({
    ...{ name: tensor.name, datatype: tensor.content.datatype, shape: tensor.shape },
    ...formOf(tensor, binaries[index]),
  }));
  const parts = binaries.filter((bytes) => bytes !== undefined);
  const { body, headerBytes } = joinFrame({ ...head, outputs }, parts);
  return { body, headerBytes: parts.length === 0 ? undefined : headerBytes };
}

function chosenTensor(tensors: readonly OutputTensor[], { name, isBinary, classes }: WantedOutput) {
  const tensor = tensors.find((each) => each.name === name);
  if (tensor === undefined) throw new Failure("engine_failed", `The model did not answer its output '${name}'.`);
  return { tensor: classes === undefined ? tensor : classify(tensor, classes), isBinary };
}

function assertFewElements(tensors: readonly OutputTensor[]) {
  const count = tensors.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);
  if (count <= JSON_ELEMENTS_MAX) return;
  throw new Failure("too_large", `The answer has ${count} elements, of which JSON carries ${JSON_ELEMENTS_MAX}: ask for binary_data.`);
}

function formOf({ name, content }: OutputTensor, binary: Uint8Array | undefined) {
  if (binary !== undefined) return { parameters: { binary_data_size: binary.byteLength } };
  if (content.datatype === "BYTES") return { data: content.texts };
  const data = elementsOfBytes(content.datatype, content.bytes);
  if (data.some((each) => typeof each === "number" && !Number.isFinite(each))) {
    throw new Failure("engine_failed", `The output '${name}' holds NaN or an infinity, which JSON has no word for: ask for binary_data.`);
  }
  return { data };
}

function bytesOf({ content }: OutputTensor): Uint8Array {
  return content.datatype === "BYTES" ? joinTexts(content.texts) : content.bytes;
}
