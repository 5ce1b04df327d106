import { Failure } from "../../../../shared/base/failure.ts";
import type { ModelInput } from "../../../../shared/inference/contract.ts";
import { textInput } from "../../../serve/ask.ts";
import type { Inputs } from "../request.ts";

/** Texts and pairs of texts, for the heads that read both. */
export function inputsOf(inputs: Inputs): ModelInput[] {
  if (!Array.isArray(inputs)) return [inputOf(inputs, "inputs")];
  return inputs.map((each, index) => inputOf(each, `inputs.${index}`));
}

function inputOf(input: Exclude<Inputs, readonly unknown[]>, field: string): ModelInput {
  if (typeof input === "string") return textInput(input, field);
  if ("text" in input) return textInput(input.text, field, input.text_pair ?? undefined);
  throw new Failure("invalid_request", `${field}: must be a text or {text, text_pair}`, { field });
}
