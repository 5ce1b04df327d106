import { Failure } from "../../shared/base/failure.ts";
import { ANSWER_BYTES_MAX } from "../../shared/usage/retries/idempotency.ts";
import type { Outcome } from "../../shared/usage/row.ts";
import { STREAM_TIMEOUT_MS } from "../limits.ts";
import { type Cut, orNothing, streamEvents } from "./event-stream.ts";
import type { Meter, Reached } from "./metering.ts";
import { readOn } from "./read-on.ts";
import { receiptComment } from "./receipt.ts";

export type Piece = {
  /** Of whole server-sent events; empty where an event brings nothing for the caller. */
  readonly text: string;
  /** The end of the answer: held back until the row is durable, and nothing follows it. */
  readonly isLast: boolean;
};

export type MeteredSource = {
  /** Ends with a last piece; whatever else ends it is a failure. */
  readonly pieces: AsyncIterable<Piece>;
  readonly meter: Meter;
  /** How far the pieces so far have come. */
  readonly reached: () => Reached;
  /** Whether anything that is worth paying for has come. */
  readonly hasBrought: () => boolean;
  /** How a stream says that it has failed. */
  readonly renderFailure: (cause: unknown) => string;
  /** Ends the work behind the pieces, and the wait for the next one. */
  readonly stop: () => void;
  /** Aborts when the caller leaves. */
  readonly signal: AbortSignal;
  /** Of the whole stream, for whoever keeps it. */
  readonly contentType: string;
};

/** How long a stream that breaks waits for its row before it says so; the row is made durable all the same. */
const CUT_WAIT_MS = 1_000;

/**
 * Metered, then delivered: a piece leaves after a checkpoint covers it, the last one after the row is settled.
 * What was delivered is billed. A stream that its caller ends, by leaving, by not reading or by reading so slowly that the stream's time is over, is `cancelled`:
 * otherwise whoever reads slowly would read for nothing. One that breaks by the engine's or our own fault is `cut`: it says so in-band and never ends as if it were whole.
 */
export function streamMetered(source: MeteredSource): ReadableStream<Uint8Array> {
  const state: State = { cut: undefined, delivered: undefined, isClosed: false, kept: createKept(source.meter.isKept) };
  const cut = (why: Cut) => {
    state.cut ??= why;
    source.stop();
  };
  const pieces = meteredPieces(source, state);
  if (!source.meter.isKept) return streamEvents({ pieces, cut });
  // Whoever leaves leaves only its own reading; the work has its bound all the same.
  const overdue = setTimeout(cut, STREAM_TIMEOUT_MS, "overdue");
  return streamEvents({ pieces: readOn(pieces, () => clearTimeout(overdue)), cut: () => {} });
}

type State = { cut: Cut | undefined; delivered: Reached | undefined; isClosed: boolean; readonly kept: Kept };

async function* meteredPieces(source: MeteredSource, state: State): AsyncGenerator<string, void> {
  try {
    for await (const { text, isLast } of source.pieces) {
      if (isLast) {
        yield await endOf(source, state, text);
        return;
      }
      state.kept.add(text);
      if (await mayLeave(source, state, text)) yield text;
    }
    throw new Error("the stream ended without its end");
  } catch (cause) {
    if (hasCallerLeft(source, state)) return;
    const isOverdue = !state.isClosed && state.cut === "overdue";
    await orNothing(close(source, state, isOverdue ? "cancelled" : "cut"), CUT_WAIT_MS);
    // Whatever else breaks a stream is the engine's fault, or the ledger's.
    yield source.renderFailure(isOverdue ? new Failure("timeout", "The stream has lasted as long as one may.", { cause }) : cause);
  } finally {
    // Not closed here means that the caller has left in the middle.
    await close(source, state, "cancelled");
  }
}

/** Makes the row of a whole stream durable, and answers with what may leave then. */
async function endOf(source: MeteredSource, state: State, text: string): Promise<string> {
  state.isClosed = true;
  const metered = { ...source.reached(), outcome: source.signal.aborted ? "cancelled" : "ok" } as const;
  const end = receiptComment(source.meter.receiptOf(metered)) + text;
  state.kept.add(end);
  await source.meter.settle(metered, { contentType: source.contentType, body: state.kept.whole() });
  return end;
}

/** The texts of a stream that is kept for a retry, as long as they are not too many. */
type Kept = { readonly add: (text: string) => void; readonly whole: () => Uint8Array | undefined };

function createKept(isKept: boolean): Kept {
  const texts: string[] = [];
  let chars = 0;
  return {
    add(text) {
      if (!isKept || text === "") return;
      chars += text.length;
      if (chars <= ANSWER_BYTES_MAX) texts.push(text);
      else texts.length = 0;
    },
    whole: () => (chars <= ANSWER_BYTES_MAX ? Buffer.from(texts.join("")) : undefined),
  };
}

/** Covers a text, and notes it as delivered; not if there is nothing to deliver, or its caller has left while it waited. */
async function mayLeave(source: MeteredSource, state: State, text: string): Promise<boolean> {
  const reached = source.reached();
  if (!source.hasBrought()) source.meter.prepare(reached);
  if (text === "") return false;
  if (source.hasBrought()) {
    await source.meter.cover(reached);
    if (hasCallerLeft(source, state)) throw new Failure("cancelled", "The caller left.");
    state.delivered = reached;
  }
  return true;
}

function hasCallerLeft({ signal }: MeteredSource, { cut }: State): boolean {
  return signal.aborted || cut === "left" || cut === "unread";
}

/** Bills what was delivered, once. Nobody is there who could be told that this failed: then the row expires, billed as far as it was covered. */
async function close({ meter }: MeteredSource, state: State, outcome: Outcome) {
  if (state.isClosed) return;
  state.isClosed = true;
  if (state.delivered === undefined) meter.void();
  else await meter.settle({ ...state.delivered, outcome }).catch(() => {});
}
