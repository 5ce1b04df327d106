import { type BpeModel, isBpe, isWordPiece, type LibraryModel, type WordPieceModel } from "./library.ts";

/** The tokens of one piece: their ids, and from which of its UTF-16 units to which each stands for. */
export type PieceTokens = { readonly ids: readonly number[]; readonly starts: readonly number[]; readonly ends: readonly number[] };

/** Words come back: what they become is kept for this many pieces of at most so many units. */
const KEPT_PIECES_MAX = 16_384;
const KEPT_UNITS_MAX = 64;
/**
 * UTF-16 units of one piece that a model sees at once: its work and stack grow faster than the piece does. No language has such words; where one
 * is cut, only the tokens beside the cut may differ from Rust's.
 */
const PIECE_UNITS_MAX = 16_384;

/** Turns pieces into tokens by the library's model, with the Rust library's rules for what is unknown. */
export function createPieceTokens(model: LibraryModel, idOfAdded: IdOf): (piece: string) => PieceTokens {
  const idOf = (token: string) => idOfAdded(token) ?? model.tokens_to_ids.get(token) ?? model.unk_token_id ?? undefined;
  const tokenise = (piece: string) => {
    if (isWordPiece(model)) return wordPieces(model, piece, idOf);
    if (isBpe(model)) return fuseUnknown(model, bytePairs(model, piece, idOf));
    return asSpelled(model([piece]), idOf);
  };
  const isWhole = isWordPiece(model); // a word that is too long for it is unknown as a whole
  const kept = new Map<string, PieceTokens>();
  return (piece) => {
    const known = kept.get(piece);
    if (known !== undefined) return known;
    const tokens = isWhole || piece.length <= PIECE_UNITS_MAX ? tokenise(piece) : joined(chunksOf(piece), tokenise);
    if (kept.size >= KEPT_PIECES_MAX) kept.clear();
    if (piece.length <= KEPT_UNITS_MAX) kept.set(piece, tokens);
    return tokens;
  };
}

type IdOf = (token: string) => number | undefined;

/** So many units of a piece, and the tokens that stand for them: none where a vocabulary has no unknown token, several where bytes do. */
type Part = { readonly units: number; readonly ids: readonly (number | null | undefined)[] };

function wordPieces(model: WordPieceModel, piece: string, idOf: IdOf): PieceTokens {
  const tokens = model.encode([piece]);
  if (tokens.length === 1 && tokens[0] === model.unk_token) return placed([{ units: piece.length, ids: [idOf(tokens[0] ?? "")] }]);
  const prefixUnits = String(model.config.continuing_subword_prefix).length;
  return placed(tokens.map((token, index) => ({ units: token.length - (index === 0 ? 0 : prefixUnits), ids: [idOf(token)] })));
}

/** The library's `BPE.encode`, which forgets how long an unknown token is. */
function bytePairs(model: BpeModel, piece: string, idOf: IdOf): PieceTokens {
  if (model.ignore_merges && model.tokens_to_ids.has(piece)) return placed([{ units: piece.length, ids: [idOf(piece)] }]);
  return placed(
    model.bpe(piece).map((token) => {
      const units = unitsOf(model, token);
      if (model.tokens_to_ids.has(token)) return { units, ids: [idOf(token)] };
      return { units, ids: (model.byte_fallback ? bytesOf(model, token) : undefined) ?? [model.unk_token_id] };
    }),
  );
}

function unitsOf(model: BpeModel, token: string): number {
  const suffixes = [model.end_of_word_suffix, model.continuing_subword_suffix];
  const suffix = suffixes.find((each) => each && token.endsWith(each));
  return token.length - (suffix?.length ?? 0);
}

function bytesOf(model: BpeModel, token: string): number[] | undefined {
  const names = Array.from(new TextEncoder().encode(token), (byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
  const ids = names.map((name) => model.tokens_to_ids.get(name)).filter((id) => id !== undefined);
  return ids.length === names.length ? ids : undefined;
}

function fuseUnknown(model: BpeModel, tokens: PieceTokens): PieceTokens {
  if (!model.fuse_unk || model.unk_token_id === undefined) return tokens;
  const isUnknown = (index: number) => tokens.ids[index] === model.unk_token_id;
  const firsts = [...tokens.ids.keys()].filter((index) => index === 0 || !isUnknown(index) || !isUnknown(index - 1));
  const lasts = firsts.map((_, index) => (firsts[index + 1] ?? tokens.ids.length) - 1);
  const at = (of: readonly number[]) => (index: number) => of[index] ?? 0;
  return { ids: firsts.map(at(tokens.ids)), starts: firsts.map(at(tokens.starts)), ends: lasts.map(at(tokens.ends)) };
}

/** A model that answers with the very parts of the piece. */
const asSpelled = (tokens: readonly string[], idOf: IdOf) => placed(tokens.map((token) => ({ units: token.length, ids: [idOf(token)] })));

function placed(parts: readonly Part[]): PieceTokens {
  const tokens = { ids: [] as number[], starts: [] as number[], ends: [] as number[] }; // empty lists are lists of anything
  let at = 0;
  for (const { units, ids } of parts) {
    for (const id of ids) {
      if (id === undefined || id === null) continue;
      tokens.ids.push(id);
      tokens.starts.push(at);
      tokens.ends.push(at + units);
    }
    // What has no token has no place either in Rust's count.
    if (ids.some((id) => id !== undefined && id !== null)) at += units;
  }
  return tokens;
}

function chunksOf(piece: string): string[] {
  const chunks: string[] = [];
  for (let start = 0; start < piece.length; ) {
    const isInPair = /[\ud800-\udbff]/.test(piece.charAt(start + PIECE_UNITS_MAX - 1));
    const end = start + PIECE_UNITS_MAX - (isInPair ? 1 : 0);
    chunks.push(piece.slice(start, end));
    start = end;
  }
  return chunks;
}

function joined(chunks: readonly string[], tokenise: (piece: string) => PieceTokens): PieceTokens {
  let at = 0;
  const parts = chunks.map((chunk) => {
    const [{ ids, starts, ends }, from] = [tokenise(chunk), at];
    at += chunk.length;
    return { ids, starts: starts.map((start) => start + from), ends: ends.map((end) => end + from) };
  });
  return { ids: parts.flatMap(({ ids }) => ids), starts: parts.flatMap(({ starts }) => starts), ends: parts.flatMap(({ ends }) => ends) };
}
