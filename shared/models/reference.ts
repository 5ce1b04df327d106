import { Failure } from "../base/failure.ts";
import { ModelName } from "./version.ts";

/** What a caller asks for: `minilm` (the split decides), `minilm@2` (this version) or `minilm:staging` (this alias). */
export type ModelReference =
  | { readonly kind: "split"; readonly model: string }
  | { readonly kind: "version"; readonly model: string; readonly number: number }
  | { readonly kind: "alias"; readonly model: string; readonly alias: string };

const REFERENCE_FORM = /^([^@:]+)(?:@([1-9][0-9]{0,8})|:([a-z0-9][a-z0-9._-]{0,62}))?$/;

/** Reads a model reference, the same in every dialect. Refuses with `not_found`, as an unknown model is. */
export function parseModelReference(text: string): ModelReference {
  const [, model = "", number, alias] = REFERENCE_FORM.exec(text) ?? [];
  if (!ModelName.safeParse(model).success) throw modelNotFound(text);
  if (number !== undefined) return { kind: "version", model, number: Number(number) };
  if (alias !== undefined) return { kind: "alias", model, alias };
  return { kind: "split", model };
}

/** Whether a limited key may name this: a limit without a version covers the model with all its versions and aliases. */
export function mayName(limit: ReadonlySet<string> | undefined, reference: ModelReference): boolean {
  if (limit === undefined || limit.has(reference.model)) return true;
  return reference.kind === "version" && limit.has(`${reference.model}@${reference.number}`);
}

/** One answer for what does not exist and for what the caller may not see. */
export function modelNotFound(reference: string): Failure {
  return new Failure("not_found", `The model '${reference.slice(0, 200)}' does not exist or you do not have access to it.`, {
    field: "model",
  });
}
