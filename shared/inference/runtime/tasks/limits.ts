import { Failure } from "../../../base/failure.ts";

/** Inputs that one request may become: pairs of text and label, windows, candidates, sentences. Each is a run of the model or a part of one. */
export const PLANNED_INPUTS_MAX = 4096;
/** Labels of one zero-shot request. */
export const LABELS_MAX = 256;
/** Fillings for each mask. */
export const TOP_K_MAX = 1000;
/** Words that fill-mask may be restricted to. */
export const TARGETS_MAX = 1000;
/** Masks of one text. */
export const MASKS_MAX = 64;
/** Sequences that one fill-mask request writes out: masks times fillings, over all texts. */
export const FILLINGS_MAX = 5000;
/** Words of a candidate for a keyword. */
export const KEYWORD_WORDS_MAX = 8;
/** Characters, in UTF-16 units, that keywords and summaries look through in one text. */
export const SEGMENTED_CHARS_MAX = 256 * 1024;
/** Answers, keywords, or sentences of a summary for each text: each is compared with all that are left. */
export const CHOSEN_MAX = 100;
/** Elements of one tensor for the bare graph: tokens, padding included. */
export const FORWARD_TOKENS_MAX = 16_384;
/** Bytes that the bare graph may answer with. */
export const FORWARD_BYTES_MAX = 64 * 1024 ** 2;

/** Fails with `invalid_request` if a count is above its limit; `what` completes "The request has 5 …". */
export function checkCount(count: number, max: number, { field, what }: { field: string; what: string }): void {
  if (count > max) throw new Failure("invalid_request", `The request has ${count} ${what}, and at most ${max} are allowed.`, { field });
}

/** A whole number within limits, or what is taken when it is absent. */
export function within(value: number | undefined, limits: { field: string; min: number; max: number; otherwise: number }): number {
  const { field, min, max, otherwise } = limits;
  if (value === undefined) return Math.min(otherwise, max);
  if (!Number.isInteger(value) || value < min || value > max)
    throw new Failure("invalid_request", `${field} must be a whole number from ${min} to ${max}.`, { field });
  return value;
}

/** Refusals of the coder name its own inputs, such as `input.3`; this names what the caller sent. */
export async function naming<T>(work: Promise<T>, fieldOf: (input: number) => string): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const input = error instanceof Failure ? /^input\.(\d+)$/.exec(error.field ?? "")?.[1] : undefined;
    if (!(error instanceof Failure) || input === undefined) throw error;
    throw new Failure(error.code, error.message, { field: fieldOf(Number(input)), cause: error });
  }
}
