import type { Finish, GenerateEvent, TokenLogprob } from "../../generation.ts";
import type { Vocabulary } from "../vocabulary.ts";
import { logSumExp, rankTokens } from "./logprobs.ts";
import { createTextStream, type Piece } from "./text-stream.ts";

/** What it takes to tell a choice's tokens. */
export type TellerSettings = {
  readonly index: number;
  readonly prompt: Int32Array;
  readonly stop: readonly string[];
  readonly topLogprobs: number | undefined;
  readonly vocabulary: Vocabulary;
  readonly sink: (event: GenerateEvent) => void;
};

/** A token's log-probability and its rivals. */
export type Ranked = { readonly logprob: number; readonly top: readonly { readonly token: number; readonly logprob: number }[] };

/** Turns a choice's tokens into its events. */
export type Teller = {
  /** Takes the `drawn`-th token; a stop text may end the choice. */
  readonly say: (token: number, logits: Float32Array, drawn: number) => void;
  /** Tells what was held back, and the end. */
  readonly end: (reason: Finish["reason"], drawn: number) => void;
  /** Tells the prompt. */
  readonly echo: (logprobs: readonly (Ranked | undefined)[]) => void;
  readonly isFinished: () => boolean;
};

type Pending = { readonly start: number; readonly logprob: TokenLogprob };

const NO_BYTES = new Uint8Array(0);

export function createTeller(settings: TellerSettings): Teller {
  const { index, vocabulary, sink, topLogprobs } = settings;
  const stream = createTextStream(settings.stop);
  let [told, emitted] = [0, 0];
  let isFinished = false;
  let pending: Pending[] = [];

  /** Sends text once there is some, with all tokens up to it. */
  function emit({ text, stopText }: Piece, drawn: number, isLast: boolean): void {
    emitted += text.length;
    if (text === "" && !(isLast && drawn > told)) return;
    // What a stop text swallowed has no log-probabilities either.
    const logprobs = pending.filter(({ start }) => stopText === undefined || start < emitted).map(({ logprob }) => logprob);
    sink({ kind: "text", choice: index, text, tokens: drawn - told, ...(topLogprobs !== undefined && { logprobs }) });
    told = drawn;
    pending = [];
  }

  function finish(finish: Finish): void {
    isFinished = true;
    sink({ kind: "finished", choice: index, finish });
  }

  return {
    say(token, logits, drawn) {
      const start = stream.length();
      const piece = stream.push(textBytes(vocabulary, token));
      if (topLogprobs !== undefined) pending.push({ start, logprob: describe(vocabulary, token, rankOf(logits, token, topLogprobs)) });
      emit(piece, drawn, piece.stopText !== undefined);
      if (piece.stopText !== undefined) finish({ reason: "stop", stopText: piece.stopText });
    },
    end(reason, drawn) {
      const piece = stream.end();
      emit(piece, drawn, true);
      finish(piece.stopText === undefined ? { reason } : { reason: "stop", stopText: piece.stopText });
    },
    echo(ranked) {
      const text = textOf(vocabulary, settings.prompt);
      const logprobs = [...settings.prompt].map((token, at) => describe(vocabulary, token, ranked[at]));
      sink({ kind: "text", choice: index, text, tokens: 0, ...(topLogprobs !== undefined && { logprobs }) });
    },
    isFinished: () => isFinished,
  };
}

/** A token's place in the model's own distribution: before temperature, penalties and masks. */
export function rankOf(logits: Float32Array, token: number, top: number): Ranked {
  const normalizer = logSumExp(logits);
  return { logprob: (logits[token] ?? Number.NEGATIVE_INFINITY) - normalizer, top: rankTokens(logits, top, normalizer) };
}

const textBytes = (vocabulary: Vocabulary, token: number) => (vocabulary.isSpecial(token) ? NO_BYTES : vocabulary.bytesOf(token));

/** A text from its beginning, where SentencePiece's own space is no part of it. */
function textOf(vocabulary: Vocabulary, tokens: Int32Array): string {
  const said = createTextStream([]);
  const text = [...tokens].map((token) => said.push(textBytes(vocabulary, token)).text).join("") + said.end().text;
  return vocabulary.stripsFirstSpace && text.startsWith(" ") ? text.slice(1) : text;
}

function describe(vocabulary: Vocabulary, token: number, ranked: Ranked | undefined): TokenLogprob {
  const top = (ranked?.top ?? []).map((rival) => ({ ...rival, ...spelling(vocabulary, rival.token) }));
  return { token, ...spelling(vocabulary, token), logprob: ranked?.logprob ?? null, top };
}

function spelling(vocabulary: Vocabulary, token: number): { text: string; bytes: number[] } {
  const bytes = vocabulary.bytesOf(token);
  return { text: wholeCharacters(bytes), bytes: [...bytes] };
}

const REPLACEMENT = "\ufffd";
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** What is no whole character is left out; U+FFFD itself is a token of its own in no vocabulary that matters here. */
function wholeCharacters(bytes: Uint8Array): string {
  return decoder.decode(bytes).replaceAll(REPLACEMENT, "");
}
