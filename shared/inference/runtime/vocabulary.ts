import * as z from "zod";
import { Failure } from "../../base/failure.ts";
import { byteLevelBytes } from "./byte-level.ts";

/** What each token stands for in a text. */
export type Vocabulary = {
  /** One more than the highest token id. */
  readonly size: number;
  /** A token's bytes in UTF-8, which may be a part of a character; none for an id that has no token. */
  readonly bytesOf: (token: number) => Uint8Array;
  /** Whether a token stands for no text, such as the end of a sequence. */
  readonly isSpecial: (token: number) => boolean;
  /** Whether a text's first token loses its leading space (SentencePiece puts one before every text). */
  readonly stripsFirstSpace: boolean;
};

/** Entries are checked as they are read: a schema over a quarter of a million of them would take longer than all else. */
const Tokenizer = z.looseObject({
  model: z.looseObject({ type: z.string().optional(), vocab: z.union([z.record(z.string(), z.unknown()), z.array(z.unknown())]) }),
  decoder: z.unknown(),
  added_tokens: z.array(z.looseObject({ id: z.int().min(0), content: z.string(), special: z.boolean().optional() })).optional(),
});
type Tokenizer = z.infer<typeof Tokenizer>;

const TOKENS_MAX = 2_000_000;
const SPACE_MARK = "▁";
const BYTE_TOKEN = /^<0x([0-9A-Fa-f]{2})>$/;
const EMPTY = new Uint8Array(0);

/** Reads tokenizer.json of a byte-level or SentencePiece tokenizer. Fails with `invalid_request` for one whose tokens have no bytes of their own. */
export function readVocabulary(tokenizer: object): Vocabulary {
  const parsed = Tokenizer.safeParse(tokenizer);
  if (!parsed.success) throw unreadable(parsed.error.issues[0]?.message ?? "it is not a tokenizer");
  const pieces = piecesOf(parsed.data);
  const specials = new Set((parsed.data.added_tokens ?? []).filter(({ special }) => special === true).map(({ id }) => id));
  const { toBytes, stripsFirstSpace } = spellingOf(parsed.data);
  const known: (Uint8Array | undefined)[] = [];
  return {
    size: pieces.length,
    isSpecial: (token) => specials.has(token),
    stripsFirstSpace,
    bytesOf(token) {
      const piece = pieces[token];
      if (piece === undefined) return EMPTY;
      known[token] ??= toBytes(piece);
      return known[token];
    },
  };
}

/** The spelling of each id; an added token's own goes first. */
function piecesOf({ model: { vocab }, added_tokens }: Tokenizer): readonly (string | undefined)[] {
  const pieces: (string | undefined)[] = [];
  const put = (piece: unknown, id: unknown) => {
    if (typeof piece !== "string" || typeof id !== "number" || !Number.isInteger(id) || id < 0 || id >= TOKENS_MAX)
      throw unreadable(`its vocabulary gives ${JSON.stringify(piece)?.slice(0, 50)} the id ${JSON.stringify(id)}`);
    pieces[id] = piece;
  };
  // Unigram lists [piece, score] in the order of ids; the others are maps from piece to id.
  if (Array.isArray(vocab)) for (const [id, entry] of vocab.entries()) put(Array.isArray(entry) ? entry[0] : entry, id);
  else for (const [piece, id] of Object.entries(vocab)) put(piece, id);
  for (const { id, content } of added_tokens ?? []) put(content, id);
  return pieces;
}

type Spelling = { readonly toBytes: (piece: string) => Uint8Array; readonly stripsFirstSpace: boolean };
type Step = { readonly type?: unknown; readonly content?: unknown; readonly prepend_scheme?: unknown; readonly add_prefix_space?: unknown };

function spellingOf({ decoder, model }: Tokenizer): Spelling {
  const steps = stepsIn(decoder);
  const has = (type: string) => steps.some((step) => step.type === type);
  if (has("ByteLevel")) return { toBytes: byteLevelBytes, stripsFirstSpace: false };
  if (has("WordPiece") || has("CTC") || has("BPEDecoder"))
    throw unreadable("Weir generates text with byte-level and SentencePiece tokenizers only");
  const strips = steps.some((step) => (step.type === "Strip" && step.content === " ") || isPrepending(step));
  const hasByteTokens = has("ByteFallback") || model["byte_fallback"] === true;
  return { toBytes: (piece) => sentencePieceBytes(piece, hasByteTokens), stripsFirstSpace: strips };
}

function isPrepending({ type, prepend_scheme, add_prefix_space }: Step): boolean {
  return type === "Metaspace" && (prepend_scheme === undefined ? add_prefix_space !== false : prepend_scheme !== "never");
}

/** The steps of a decoder, whether it is one step or a sequence of them. */
function stepsIn(part: unknown): Step[] {
  if (typeof part !== "object" || part === null) return [];
  return "decoders" in part && Array.isArray(part.decoders) ? part.decoders.flatMap(stepsIn) : [part];
}

const encoder = new TextEncoder();

function sentencePieceBytes(piece: string, hasByteTokens: boolean): Uint8Array {
  const hex = hasByteTokens ? BYTE_TOKEN.exec(piece)?.[1] : undefined;
  return hex === undefined ? encoder.encode(piece.replaceAll(SPACE_MARK, " ")) : Uint8Array.of(Number.parseInt(hex, 16));
}

function unreadable(why: string): Failure {
  return new Failure("invalid_request", `tokenizer.json: ${why}.`, { field: "tokenizer.json" });
}
