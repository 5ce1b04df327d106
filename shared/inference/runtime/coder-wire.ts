import { Failure, type FailureCode } from "../../base/failure.ts";
import type { ModelInput } from "../contract.ts";
import type { ChatMessage } from "../generation.ts";
import type { RenderedChat } from "./chat-template.ts";
import type { EncodedInput, EncodeHow, LocatedInput, Rendered } from "./coder.ts";
import type { ModelSettings } from "./model-files.ts";

/** What a tokenizer's thread is asked, and what the process for templates is (`render`). */
export type CoderWork =
  | { readonly kind: "open" }
  | { readonly kind: "encode" | "locate"; readonly inputs: readonly ModelInput[]; readonly how: EncodeHow }
  | { readonly kind: "decode"; readonly tokens: readonly (readonly number[])[]; readonly how: { readonly skipsSpecial: boolean } }
  | { readonly kind: "spell"; readonly tokens: readonly number[] }
  | { readonly kind: "find"; readonly spellings: readonly string[] }
  | { readonly kind: "bare"; readonly chats: readonly RenderedChat[] }
  | {
      readonly kind: "render";
      readonly settings: Pick<ModelSettings, "chatTemplate" | "specialTokens">;
      readonly specials: readonly string[];
      readonly conversations: readonly (readonly ChatMessage[])[];
      /** Whether special tokens that messages spell stay text. */
      readonly isGuarded: boolean;
    };

export type CoderCall = { readonly id: number; readonly folder: string; readonly work: CoderWork };

export type CoderValue =
  | { readonly kind: "open"; readonly settings: ModelSettings; readonly specials: readonly string[]; readonly idMax: number }
  | { readonly kind: "encode"; readonly packed: Packed }
  | { readonly kind: "bare"; readonly packed: Packed }
  | { readonly kind: "locate"; readonly packed: PackedWindows }
  | { readonly kind: "decode"; readonly texts: readonly string[] }
  | { readonly kind: "spell"; readonly texts: readonly string[] }
  | { readonly kind: "find"; readonly ids: readonly (number | undefined)[] }
  | { readonly kind: "render"; readonly chats: readonly RenderedChat[] };

export type CoderAnswer = {
  readonly id: number;
  /** A folder whose tokenizer had to go for this one's. */
  readonly evicted?: string;
} & (
  | { readonly value: CoderValue }
  | { readonly failure: { readonly code: FailureCode; readonly message: string; readonly field?: string } }
  | { readonly bug: string }
);

/** What a tokenizer's thread says: that it has read a folder, after which the call's own time begins, and then the answer. */
export type CoderWord = { readonly id: number; readonly isLoaded: true } | CoderAnswer;

/** Lists of numbers one after the other in one piece of memory, which changes threads without being copied. */
export type Packed = { readonly lengths: Int32Array; readonly data: Int32Array };
export type PackedWindows = Packed & { readonly counts: Int32Array; readonly parts: Uint8Array };

export function pack(lists: readonly Int32Array[]): Packed {
  const lengths = Int32Array.from(lists, ({ length }) => length);
  const data = new Int32Array(lengths.reduce((sum, length) => sum + length, 0));
  let at = 0;
  for (const list of lists) {
    data.set(list, at);
    at += list.length;
  }
  return { lengths, data };
}

export function unpack({ lengths, data }: Packed): Int32Array[] {
  let at = 0;
  return Array.from(lengths, (length) => {
    at += length;
    return data.subarray(at - length, at);
  });
}

const EMPTY = new Int32Array(0);

export const packEncoded = (inputs: readonly EncodedInput[]) => pack(inputs.flatMap(({ ids, typeIds }) => [ids, typeIds]));

export function unpackEncoded(packed: Packed): EncodedInput[] {
  const lists = unpack(packed);
  return Array.from({ length: lists.length / 2 }, (_, index) => ({
    ids: lists[2 * index] ?? EMPTY,
    typeIds: lists[2 * index + 1] ?? EMPTY,
  }));
}

export function packLocated(inputs: readonly (readonly LocatedInput[])[]): PackedWindows {
  const windows = inputs.flat();
  const parts = new Uint8Array(windows.reduce((sum, window) => sum + window.parts.length, 0));
  let at = 0;
  for (const window of windows) {
    parts.set(window.parts, at);
    at += window.parts.length;
  }
  const packed = pack(windows.flatMap(({ ids, typeIds, spans, words }) => [ids, typeIds, spans, words]));
  return { ...packed, counts: Int32Array.from(inputs, ({ length }) => length), parts };
}

export function unpackLocated(packed: PackedWindows): LocatedInput[][] {
  const lists = unpack(packed);
  let [list, part] = [0, 0];
  const next = () => lists[list++] ?? EMPTY;
  return Array.from(packed.counts, (count) =>
    Array.from({ length: count }, () => {
      const [ids, typeIds, spans, words] = [next(), next(), next(), next()];
      part += ids.length;
      return { ids, typeIds, spans, words, parts: packed.parts.subarray(part - ids.length, part) };
    }),
  );
}

export function unpackRendered(chats: readonly RenderedChat[], packed: Packed): Rendered[] {
  const ids = unpack(packed);
  return chats.map(({ text }, index) => ({ text, ids: ids[index] ?? EMPTY }));
}

/** The memory of a value that need not be copied. */
export function memoryOf(value: CoderValue): ArrayBuffer[] {
  if (!("packed" in value)) return [];
  const { packed } = value;
  const arrays = [packed.lengths, packed.data, ...("parts" in packed ? [packed.parts, packed.counts] : [])];
  return arrays.map(({ buffer }) => buffer).filter((buffer) => buffer instanceof ArrayBuffer);
}

export function thrownOf(answer: Exclude<CoderAnswer, { value: CoderValue }>): Error {
  if ("bug" in answer) return new Error(answer.bug);
  const { code, message, field } = answer.failure;
  return new Failure(code, message, field === undefined ? {} : { field });
}

/** What a thread or process says of what it could not do. */
export function thrownAs(error: unknown) {
  if (!(error instanceof Failure)) return { bug: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  const { code, message, field } = error;
  return { failure: { code, message, ...(field !== undefined && { field }) } };
}
