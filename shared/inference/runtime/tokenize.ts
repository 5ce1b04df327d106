import { Tokenizer } from "@huggingface/tokenizers";
import { Failure } from "../../base/failure.ts";
import type { ModelInput, Overlong } from "../contract.ts";
import { type ModelFiles, type ModelSettings, unfit } from "./model-files.ts";
import { createTextRepair } from "./text-repair.ts";

/** One input as a model reads it, unpadded: `ids` and `typeIds` have the same length. */
export type EncodedInput = { readonly ids: Int32Array; readonly typeIds: Int32Array };

export type Encoder = {
  /** Refuses with `invalid_request` what the model cannot read, unless `cut` says to shorten it. */
  readonly encode: (input: ModelInput, overlong: Overlong) => EncodedInput;
  /** The largest token id that it may answer with. */
  readonly idMax: number;
};

/** One place of the model's template: a special token, or where the first (`A`) or second (`B`) text goes. */
type Place = { readonly typeId: number } & ({ readonly id: number } | { readonly text: "A" | "B" });
type Frame = { readonly places: readonly Place[]; readonly specialCount: number };

/**
 * UTF-16 units that are tokenised of one text. No encoder's tokens reach this far, the tokenizer takes the event loop for 0.1 s over so much,
 * and beyond 100,000 tokens of one word it runs out of stack.
 */
const CHARS_READ_MAX = 64 * 1024;

/**
 * A tokenizer for one model. tokenizer.json's own `truncation` and `padding` are leftovers of training and are ignored: the limit comes from
 * the model's files, and padding is the batch's business. Pairs are shortened as transformers does (`longest_first`).
 */
export function createEncoder({ tokenizer: json, tokenizerConfig, settings }: ModelFiles): Encoder {
  const tokenizer = openTokenizer(json, tokenizerConfig);
  const repair = createTextRepair(json);
  const frames = { single: frameOf(tokenizer, settings, false), pair: frameOf(tokenizer, settings, true) };
  const idsOf = (text: string, overlong: Overlong) => {
    const said = boundText(settings.prompt + text, overlong);
    return tokenizer.encode(repair(settings.isLowercased ? said.toLowerCase() : said), { add_special_tokens: false }).ids;
  };
  return {
    idMax: idMaxOf(tokenizer),
    encode(input, overlong) {
      if (input.kind === "tokens") return encodeTokens(input.tokenIds, settings, overlong);
      const frame = input.textPair === undefined ? frames.single : frames.pair;
      const texts = { A: idsOf(input.text, overlong), B: input.textPair === undefined ? [] : idsOf(input.textPair, overlong) };
      const room = settings.tokensMax - frame.specialCount;
      if (overlong === "refuse") refuseOverlong(texts.A.length + texts.B.length + frame.specialCount, settings);
      const kept = longestFirst({ first: texts.A.length, second: texts.B.length }, room);
      return fill(frame, { A: texts.A.slice(0, kept.first), B: texts.B.slice(0, kept.second) });
    },
  };
}

/** How many tokens of a pair remain (tokenizers, `truncate_encodings`, LongestFirst): the shorter text is cut last. */
export function longestFirst({ first, second }: { first: number; second: number }, room: number): { first: number; second: number } {
  if (first + second <= room) return { first, second };
  const shorter = Math.min(first, second);
  const keptOfShorter = shorter * 2 <= room ? shorter : Math.floor(room / 2);
  const keptOfLonger = room - keptOfShorter;
  return first > second ? { first: keptOfLonger, second: keptOfShorter } : { first: keptOfShorter, second: keptOfLonger };
}

function openTokenizer(json: object, config: object): Tokenizer {
  try {
    return new Tokenizer(json, config);
  } catch (cause) {
    throw new Failure("invalid_request", `tokenizer.json: ${cause instanceof Error ? cause.message : "it cannot be read"}.`, {
      field: "tokenizer.json",
      cause,
    });
  }
}

function idMaxOf(tokenizer: Tokenizer): number {
  let most = 0;
  for (const id of tokenizer.get_vocab().values()) most = Math.max(most, id);
  return most;
}

function encodeTokens(tokenIds: readonly number[], settings: ModelSettings, overlong: Overlong): EncodedInput {
  const { vocabSize, tokensMax } = settings;
  if (overlong === "refuse") refuseOverlong(tokenIds.length, settings);
  const wrong = vocabSize === undefined ? undefined : tokenIds.find((id) => id >= vocabSize);
  if (wrong !== undefined) throw new Failure("invalid_request", `The token id ${wrong} is not in the model's vocabulary of ${vocabSize}.`);
  const ids = Int32Array.from(tokenIds.slice(0, tokensMax));
  return { ids, typeIds: new Int32Array(ids.length) };
}

function boundText(text: string, overlong: Overlong): string {
  if (text.length <= CHARS_READ_MAX) return text;
  if (overlong === "refuse")
    throw new Failure("invalid_request", `The input has ${text.length} characters, and at most ${CHARS_READ_MAX} are read.`);
  // Between two words, so that no half word ends it.
  const end = text.lastIndexOf(" ", CHARS_READ_MAX);
  return text.slice(0, end > 0 ? end : CHARS_READ_MAX);
}

function refuseOverlong(tokens: number, { tokensMax }: ModelSettings) {
  if (tokens > tokensMax) throw new Failure("invalid_request", `The input has ${tokens} tokens, and the model reads at most ${tokensMax}.`);
}

const MARKS = { A: ["\u0000A"], B: ["\u0000B"] } as const;

/** Lets the model's own post-processor arrange two marks, once: what stands around them is the template, whatever its kind. */
function frameOf(tokenizer: Tokenizer, { typeCount, tokensMax }: ModelSettings, isPair: boolean): Frame {
  const arranged = tokenizer.post_processor?.post_process([...MARKS.A], isPair ? [...MARKS.B] : null, true);
  // Without a template, or with one that leaves pairs alone (byte-level), the texts follow each other.
  const tokens = arranged === undefined ? [...MARKS.A, ...(isPair ? MARKS.B : [])] : [...arranged.tokens, ...(arranged.tokens_pair ?? [])];
  const places = tokens.map((token, index): Place => {
    const typeId = Math.min(arranged?.token_type_ids?.[index] ?? 0, Math.max(0, typeCount - 1));
    if (token === MARKS.A[0]) return { typeId, text: "A" };
    if (token === MARKS.B[0]) return { typeId, text: "B" };
    const id = tokenizer.token_to_id(token);
    if (id === undefined) throw unfit("tokenizer.json", `its template wants the token '${token}', which is not in its vocabulary`);
    return { typeId, id };
  });
  const specialCount = places.filter((place) => "id" in place).length;
  if (specialCount > tokensMax) throw unfit("config.json", `the model reads ${tokensMax} tokens, fewer than its own special ones`);
  return { places, specialCount };
}

function fill(frame: Frame, texts: Readonly<Record<"A" | "B", readonly number[]>>): EncodedInput {
  const length = frame.specialCount + texts.A.length + texts.B.length;
  const [ids, typeIds] = [new Int32Array(length), new Int32Array(length)];
  let at = 0;
  for (const place of frame.places) {
    const next = "id" in place ? [place.id] : texts[place.text];
    ids.set(next, at);
    typeIds.fill(place.typeId, at, at + next.length);
    at += next.length;
  }
  return { ids, typeIds };
}
