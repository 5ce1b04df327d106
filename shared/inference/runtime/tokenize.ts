import { Failure } from "../../base/failure.ts";
import type { ModelInput, Overlong } from "../contract.ts";
import type { Guards } from "./added-tokens.ts";
import type { EncodedInput, EncodeHow, LocatedInput } from "./coder.ts";
import { createDecoder } from "./decode.ts";
import { BARE, type Frame, fill, fillLocated, frameOf, type LocatedPart } from "./frame.ts";
import { openTokenizer } from "./library.ts";
import type { ModelFiles, ModelSettings } from "./model-files.ts";
import { lowercaseTraced } from "./normalize.ts";
import { traceText } from "./origins.ts";
import { createTextTokenizer, type LocatedTokens, type TextTokenizer } from "./text-tokens.ts";
import { longestFirst, type Window, windowsOf } from "./windows.ts";

/** A model's tokenizer in this thread. */
export type Encoder = {
  /** Refuses with `invalid_request` what the model cannot read, unless `cut` says to shorten it. A word stands for a way without more to say. */
  readonly encode: (input: ModelInput, how: Overlong | EncodeHow) => EncodedInput;
  /** The windows of an input, at least one. */
  readonly locate: (input: ModelInput, how: EncodeHow) => LocatedInput[];
  /** The tokens of a text alone, of any length up to the limit in characters, without a template. */
  readonly encodeBare: (text: string, guards: Guards) => Int32Array;
  readonly decode: (tokens: readonly number[], how: { readonly skipsSpecial: boolean }) => string;
  /** The vocabulary's own spelling; the unknown token's, or nothing, where there is none. */
  readonly spell: (token: number) => string;
  /** The id of a token that is spelled exactly so. */
  readonly find: (spelling: string) => number | undefined;
  /** How the special tokens are spelled. */
  readonly specials: readonly string[];
  /** The largest token id that it may answer with. */
  readonly idMax: number;
};

/**
 * UTF-16 units that are tokenised of one text. No encoder's tokens reach this far, and the tokenizer takes its thread for 0.1 s over so much;
 * models that read more tokens get more, up to a megabyte. Windows go through a whole text, so there the larger limit holds for all, and a longer text is
 * refused.
 */
const CHARS_READ_MAX = 64 * 1024;
const CHARS_PER_TOKEN = 16;
const WINDOWS_CHARS_MAX = 1024 ** 2;
/** Encodings that one input may become. */
const WINDOWS_MAX = 8_192;

/**
 * A tokenizer for one model. tokenizer.json's own `truncation` and `padding` are leftovers of training and are ignored: the limit comes from
 * the model's files, and padding is the batch's business. Pairs are shortened as transformers does (`longest_first`).
 */
export function createEncoder({ tokenizer: json, tokenizerConfig, settings }: ModelFiles): Encoder {
  const tokenizer = openTokenizer(json, tokenizerConfig);
  const texts = createTextTokenizer(tokenizer, json);
  const decode = createDecoder(tokenizer, tokenizerConfig);
  const frames = { single: frameOf(tokenizer, settings, false), pair: frameOf(tokenizer, settings, true) };
  const room: Room = { settings, texts, frameFor: (isPair, isFramed) => (isFramed ? BARE : isPair ? frames.pair : frames.single) };
  return {
    specials: [...tokenizer.get_added_tokens_decoder().values()].filter(({ special }) => special).map(({ content }) => content),
    idMax: tokenizer.model.vocab.length - 1,
    encode: (input, how) => encode(room, input, typeof how === "string" ? { overlong: how } : how),
    locate: (input, how) => locate(room, input, how),
    encodeBare: (text, guards) =>
      Int32Array.from(texts.tokenise(boundText(text, { charsMax: charsMaxOf(settings.tokensMax), isCut: false }), guards).ids),
    decode: (tokens, { skipsSpecial }) => decode(tokens, skipsSpecial),
    find: (spelling) => tokenizer.token_to_id(spelling),
    spell: (token) => tokenizer.id_to_token(token) ?? tokenizer.model.unk_token ?? "",
  };
}

type Room = {
  readonly settings: ModelSettings;
  readonly texts: TextTokenizer;
  readonly frameFor: (isPair: boolean, isFramed: boolean | undefined) => Frame;
};

function encode({ settings, texts, frameFor }: Room, input: ModelInput, how: EncodeHow): EncodedInput {
  if (input.kind === "tokens") return encodeTokens(input.tokenIds, settings, how);
  const frame = frameFor(input.textPair !== undefined, how.isFramed);
  const guards = guardsOf(settings, how);
  const idsOf = (text: string) => texts.tokenise(prepared(text, settings, how), guards).ids;
  const [first, second] = [idsOf(input.text), input.textPair === undefined ? [] : idsOf(input.textPair)];
  const [kept = WHOLE] = keptOf({ first: first.length, second: second.length, frame, isPair: input.textPair !== undefined }, settings, how);
  return fill(frame, { A: { ids: first.slice(kept.A.start, kept.A.end) }, B: { ids: second.slice(kept.B.start, kept.B.end) } });
}

function locate({ settings, texts, frameFor }: Room, input: ModelInput, how: EncodeHow): LocatedInput[] {
  if (input.kind === "tokens") return [withoutPlaces(encodeTokens(input.tokenIds, settings, how))];
  const frame = frameFor(input.textPair !== undefined, how.isFramed);
  const guards = guardsOf(settings, how);
  const tokensOf = (text: string) => {
    const whole = prepared(text, settings, { ...how, isLowercased: false });
    const traced = traceText(whole, -promptOf(settings, how).length);
    return texts.locate(settings.isLowercased ? lowercaseTraced(traced) : traced, guards);
  };
  const [first, second] = [tokensOf(input.text), input.textPair === undefined ? undefined : tokensOf(input.textPair)];
  const counts = { first: first.ids.length, second: second?.ids.length ?? 0, frame, isPair: second !== undefined };
  return keptOf(counts, settings, how).map((kept) =>
    fillLocated(frame, { A: cut(first, kept.A, texts), B: second === undefined ? undefined : cut(second, kept.B, texts) }),
  );
}

type Kept = { readonly A: Window; readonly B: Window };
type Counts = { readonly first: number; readonly second: number; readonly frame: Frame; readonly isPair: boolean };
const WHOLE: Kept = { A: { start: 0, end: Number.MAX_SAFE_INTEGER }, B: { start: 0, end: Number.MAX_SAFE_INTEGER } };

/** Which tokens of each text go into each encoding; there is one encoding, but for windows. */
function keptOf({ first, second, frame, isPair }: Counts, settings: ModelSettings, how: EncodeHow): Kept[] {
  const tokensMax = Math.min(how.tokensMax ?? settings.tokensMax, settings.tokensMax);
  const room = Math.max(0, tokensMax - frame.specialCount);
  const upTo = (end: number): Window => ({ start: 0, end });
  switch (how.overlong) {
    case "refuse":
      refuseOverlong(first + second + frame.specialCount, tokensMax);
      return [WHOLE];
    case "cut": {
      const kept = longestFirst({ first, second }, room);
      return [{ A: upTo(kept.first), B: upTo(kept.second) }];
    }
    case "cut-first":
      refuseOverlong(second + frame.specialCount + (first > 0 ? 1 : 0), tokensMax);
      return [{ A: upTo(Math.min(first, room - second)), B: upTo(second) }];
    case "windows": {
      const keptOfFirst = isPair ? Math.min(first, how.firstTokensMax ?? first) : 0;
      const windows = readInWindows(isPair ? second : first, room - keptOfFirst, how.stride ?? 0);
      return windows.map((window) => (isPair ? { A: upTo(keptOfFirst), B: window } : { A: window, B: upTo(0) }));
    }
  }
}

function readInWindows(tokens: number, room: number, stride: number): Window[] {
  if (room < 1) throw new Failure("invalid_request", "The first text leaves no room in the model's window for the second.");
  const windows = windowsOf(tokens, { room, stride });
  if (windows.length > WINDOWS_MAX)
    throw new Failure("invalid_request", `The text takes ${windows.length} windows, and at most ${WINDOWS_MAX} are read.`, {
      field: "stride",
    });
  return windows;
}

function cut(tokens: LocatedTokens, window: Window, { keepsFirstBlank }: TextTokenizer): LocatedPart {
  const end = Math.min(window.end, tokens.ids.length);
  const spans = new Int32Array(2 * Math.max(0, end - window.start));
  for (let token = window.start; token < end; token += 1) {
    const span = trimmed(tokens, token, { isFirst: token === window.start, keepsFirstBlank });
    spans[2 * (token - window.start)] = Math.max(0, span.start);
    spans[2 * (token - window.start) + 1] = Math.max(0, span.end);
  }
  return { ids: tokens.ids.slice(window.start, end), words: tokens.words.slice(window.start, end), spans };
}

/** Leaves blanks out of a span (tokenizers, `process_offsets`); a blank that the tokenizer put before the text is not one of the text. */
function trimmed(tokens: LocatedTokens, token: number, how: { isFirst: boolean; keepsFirstBlank: boolean }): Window {
  const [from = 0, to = 0, inside = 0] = [tokens.starts[token], tokens.ends[token], tokens.insides[token]];
  const [leads = 0, trails = 0] = [tokens.leads[token], tokens.trails[token]];
  // Of several, none was put there.
  const isOwn = how.keepsFirstBlank && (how.isFirst || from === 0) && leads === 1;
  const start = isOwn ? from : inside;
  return { start, end: trails > 0 && to >= trails ? Math.max(to - trails, start) : to };
}

function guardsOf(settings: ModelSettings, { specialText }: Pick<EncodeHow, "specialText">): Guards {
  return { isText: specialText === undefined ? settings.splitsSpecialTokens : specialText === "text", places: [] };
}

const promptOf = (settings: ModelSettings, how: EncodeHow) => (how.isFramed ? "" : settings.prompt);

/** A text as it is read: with what the model wants before it, in lower case if it wants that, and not longer than it can matter. */
function prepared(text: string, settings: ModelSettings, how: EncodeHow & { readonly isLowercased?: boolean }): string {
  const charsMax = how.overlong === "windows" ? WINDOWS_CHARS_MAX : charsMaxOf(settings.tokensMax);
  const said = boundText(promptOf(settings, how) + text, { charsMax, isCut: how.overlong === "cut" || how.overlong === "cut-first" });
  return settings.isLowercased && (how.isLowercased ?? true) ? said.toLowerCase() : said;
}

function charsMaxOf(tokensMax: number): number {
  return Math.min(WINDOWS_CHARS_MAX, Math.max(CHARS_READ_MAX, tokensMax * CHARS_PER_TOKEN));
}

function boundText(text: string, { charsMax, isCut }: { charsMax: number; isCut: boolean }): string {
  if (text.length <= charsMax) return text;
  if (!isCut) throw new Failure("invalid_request", `The input has ${text.length} characters, and at most ${charsMax} are read.`);
  // Between two words, so that no half word ends it.
  const end = text.lastIndexOf(" ", charsMax);
  return text.slice(0, end > 0 ? end : charsMax);
}

function refuseOverlong(tokens: number, tokensMax: number) {
  if (tokens > tokensMax) throw new Failure("invalid_request", `The input has ${tokens} tokens, and the model reads at most ${tokensMax}.`);
}

function encodeTokens(tokenIds: readonly number[], settings: ModelSettings, how: EncodeHow): EncodedInput {
  const { vocabSize } = settings;
  const tokensMax = Math.min(how.tokensMax ?? settings.tokensMax, settings.tokensMax);
  if (how.overlong === "refuse" || how.overlong === "windows") refuseOverlong(tokenIds.length, tokensMax);
  const wrong = tokenIds.find((id) => !Number.isInteger(id) || id < 0 || (vocabSize !== undefined && id >= vocabSize));
  if (wrong !== undefined)
    throw new Failure("invalid_request", `The token id ${wrong} is not in the model's vocabulary of ${vocabSize ?? "ids from 0"}.`);
  const ids = Int32Array.from(tokenIds.slice(0, tokensMax));
  return { ids, typeIds: new Int32Array(ids.length) };
}

function withoutPlaces(encoded: EncodedInput): LocatedInput {
  const { length } = encoded.ids;
  return { ...encoded, spans: new Int32Array(2 * length), parts: new Uint8Array(length), words: new Int32Array(length).fill(-1) };
}
