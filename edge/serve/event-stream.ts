import { HEARTBEAT_MS, READER_TIMEOUT_MS, STREAM_TIMEOUT_MS } from "../limits.ts";

/** Why a stream ends before its end: its caller left, stopped reading, or the bound of a whole stream is reached. */
export type Cut = "left" | "unread" | "overdue";

export type EventPieces = {
  /** Texts of whole server-sent events. It ends soon after `cut`, whatever it waits for. */
  readonly pieces: AsyncGenerator<string, void>;
  readonly cut: (why: Cut) => void;
};

/** A comment, which every reader of server-sent events skips. */
const PING = Buffer.from(": ping\n\n");

/**
 * Sends pieces as they come and as fast as the caller takes them: one waits here at most, and none is fetched before the one before it is taken.
 * Silence is filled with heartbeats, so that no proxy on the way takes a long prefill for a dead origin.
 */
export function streamEvents({ pieces, cut }: EventPieces): ReadableStream<Uint8Array> {
  let pending: Promise<IteratorResult<string, void>> | undefined;
  let unread: NodeJS.Timeout | undefined;
  let hasEnded = false;
  const overdue = setTimeout(() => cut("overdue"), STREAM_TIMEOUT_MS);
  const endEarly = (why: Cut) => {
    hasEnded = true;
    clearTimeout(unread);
    clearTimeout(overdue);
    cut(why);
    return pieces.return();
  };
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      clearTimeout(unread);
      pending ??= pieces.next();
      const next = await orNothing(pending, HEARTBEAT_MS);
      if (hasEnded) return;
      if (next !== undefined) pending = undefined;
      if (next?.done) {
        clearTimeout(overdue);
        return controller.close();
      }
      // Armed before the piece is handed over: with a reader at hand the next pull comes at once.
      unread = setTimeout(() => {
        controller.error(new Error("the caller stopped reading"));
        void endEarly("unread");
      }, READER_TIMEOUT_MS);
      controller.enqueue(next === undefined ? PING : Buffer.from(next.value));
    },
    async cancel() {
      await endEarly("left");
    },
  });
}

/** What a promise gives, or undefined if it takes longer than `waitMs`. */
export function orNothing<T>(promise: Promise<T>, waitMs: number): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, waitMs, undefined);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
