import { Failure } from "../../shared/base/failure.ts";
import type { Outcome } from "../../shared/usage/row.ts";
import { type Cut, streamEvents } from "./event-stream.ts";

export type Piece = {
  /** Of whole server-sent events; empty where an event brings nothing for the caller. */
  readonly text: string;
  /** The end of the answer: held back until the row is durable, and nothing follows it. */
  readonly isLast: boolean;
};

export type MeteredSource = {
  /** Ends with a last piece; whatever else ends it is a failure. */
  readonly pieces: AsyncIterable<Piece>;
  /** Makes the row durable, of what has come so far. */
  readonly meter: (outcome: Outcome) => Promise<void>;
  /** Whether anything that is worth paying for has come. */
  readonly hasBrought: () => boolean;
  /** How a stream says that it has failed. */
  readonly renderFailure: (cause: unknown) => string;
  /** Ends the work behind the pieces, and the wait for the next one. */
  readonly stop: () => void;
  /** Aborts when the caller leaves. */
  readonly signal: AbortSignal;
};

/**
 * Metered, then ended: the last piece leaves after the row is durable.
 * A stream that breaks says so in-band, never ends as if it were whole, and is not billed. One that its caller ends, by leaving, by not reading or by reading
 * so slowly that the stream's time is over, is billed as far as it came: otherwise whoever reads slowly would read for nothing.
 */
export function streamMetered(source: MeteredSource): ReadableStream<Uint8Array> {
  const state: State = { cut: undefined, isOver: false };
  return streamEvents({
    pieces: meteredPieces(source, state),
    cut(why) {
      state.cut ??= why;
      source.stop();
    },
  });
}

type State = { cut: Cut | undefined; isOver: boolean };

async function* meteredPieces(source: MeteredSource, state: State): AsyncGenerator<string, void> {
  try {
    for await (const { text, isLast } of source.pieces) {
      if (isLast) {
        state.isOver = true;
        await source.meter(source.signal.aborted ? "cancelled" : "ok");
        yield text;
        return;
      }
      if (text !== "") yield text;
    }
    throw new Error("the stream ended without its end");
  } catch (cause) {
    if (hasCallerLeft(source, state)) return;
    const isOverdue = !state.isOver && state.cut === "overdue";
    state.isOver = true;
    if (isOverdue) await meterCut(source);
    // Whatever else breaks a stream is the engine's fault, or the ledger's.
    yield source.renderFailure(isOverdue ? new Failure("timeout", "The stream has lasted as long as one may.", { cause }) : cause);
  } finally {
    // Not over here means that the caller has left in the middle.
    if (!state.isOver) await meterCut(source);
  }
}

function hasCallerLeft({ signal }: MeteredSource, { cut }: State): boolean {
  return signal.aborted || cut === "left" || cut === "unread";
}

/** Nobody is there who could be told that this failed, and a row that is missing is our loss alone. */
async function meterCut(source: MeteredSource) {
  if (source.hasBrought()) await source.meter("cancelled").catch(() => {});
}
