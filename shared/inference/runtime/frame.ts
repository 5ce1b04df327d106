import type { EncodedInput, LocatedInput } from "./coder.ts";
import type { LibraryTokenizer } from "./library.ts";
import { unfit } from "./read-json.ts";

/** One place of a model's template: a special token, or where the first (`A`) or second (`B`) text goes. */
type Place = { readonly typeId: number } & ({ readonly id: number } | { readonly text: "A" | "B" });
export type Frame = { readonly places: readonly Place[]; readonly specialCount: number };

/** Tokens of one text that go into an encoding, with or without their places. */
export type Part = { readonly ids: ArrayLike<number> };
export type LocatedPart = Part & { readonly spans: ArrayLike<number>; readonly words: ArrayLike<number> };

/** For what holds its special tokens already: nothing stands around the texts. */
export const BARE: Frame = {
  places: [
    { typeId: 0, text: "A" },
    { typeId: 0, text: "B" },
  ],
  specialCount: 0,
};

const MARKS = { A: ["\u0000A"], B: ["\u0000B"] } as const;

/** Lets the model's own post-processor arrange two marks, once: what stands around them is the template, whatever its kind. */
export function frameOf(tokenizer: LibraryTokenizer, limits: { typeCount: number; tokensMax: number }, isPair: boolean): Frame {
  const arranged = tokenizer.post_processor?.post_process([...MARKS.A], isPair ? [...MARKS.B] : null, true);
  // Without a template, or with one that leaves pairs alone (byte-level), the texts follow each other.
  const tokens = arranged === undefined ? [...MARKS.A, ...(isPair ? MARKS.B : [])] : [...arranged.tokens, ...(arranged.tokens_pair ?? [])];
  const places = tokens.map((token, index): Place => {
    const typeId = Math.min(arranged?.token_type_ids?.[index] ?? 0, Math.max(0, limits.typeCount - 1));
    if (token === MARKS.A[0]) return { typeId, text: "A" };
    if (token === MARKS.B[0]) return { typeId, text: "B" };
    const id = tokenizer.token_to_id(token);
    if (id === undefined) throw unfit("tokenizer.json", `its template wants the token '${token}', which is not in its vocabulary`);
    return { typeId, id };
  });
  const specialCount = places.filter((place) => "id" in place).length;
  if (specialCount > limits.tokensMax)
    throw unfit("config.json", `the model reads ${limits.tokensMax} tokens, fewer than its own special ones`);
  return { places, specialCount };
}

/** Puts texts into their template. */
export function fill(frame: Frame, parts: Readonly<Record<"A" | "B", Part | undefined>>): EncodedInput {
  const length = frame.specialCount + (parts.A?.ids.length ?? 0) + (parts.B?.ids.length ?? 0);
  const [ids, typeIds] = [new Int32Array(length), new Int32Array(length)];
  let at = 0;
  for (const place of frame.places) {
    const next = "id" in place ? [place.id] : (parts[place.text]?.ids ?? []);
    ids.set(next, at);
    typeIds.fill(place.typeId, at, at + next.length);
    at += next.length;
  }
  return { ids, typeIds };
}

/** The same, with where each token comes from. */
export function fillLocated(frame: Frame, located: Readonly<Record<"A" | "B", LocatedPart | undefined>>): LocatedInput {
  const encoded = fill(frame, located);
  const length = encoded.ids.length;
  const [spans, parts, words] = [new Int32Array(2 * length), new Uint8Array(length), new Int32Array(length).fill(-1)];
  let at = 0;
  for (const place of frame.places) {
    const part = "id" in place ? undefined : located[place.text];
    if (part !== undefined && "text" in place) {
      spans.set(part.spans, 2 * at);
      words.set(part.words, at);
      parts.fill(place.text === "A" ? 1 : 2, at, at + part.ids.length);
    }
    at += "id" in place ? 1 : (part?.ids.length ?? 0);
  }
  return { ...encoded, spans, parts, words };
}
