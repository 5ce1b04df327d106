/** What an answer that is kept may be ahead of its reader, in characters; an answer that is larger than what is kept waits for whoever reads it. */
export const UNREAD_CHARS_MAX = 8 * 1024 ** 2;

/**
 * The same pieces for a reader who may leave: they are read to their end all the same, as fast as they come, because what they bring is kept for a retry.
 * A reader who stays is waited for when it is too far behind.
 */
export function readOn(pieces: AsyncIterable<string>, ended: () => void): AsyncGenerator<string, void> {
  const state: State = { unread: [], chars: 0, isOver: false, hasLeft: false, wakeReader: () => {}, wakeSource: () => {} };
  const reading = drain(pieces, state).finally(() => {
    state.isOver = true;
    state.wakeReader();
    ended();
  });
  reading.catch(() => {}); // the reader is told, if there is one
  return readerOf(reading, state);
}

type State = {
  readonly unread: string[];
  chars: number;
  isOver: boolean;
  hasLeft: boolean;
  wakeReader: () => void;
  wakeSource: () => void;
};

async function drain(pieces: AsyncIterable<string>, state: State) {
  for await (const piece of pieces) {
    if (state.hasLeft) continue;
    state.unread.push(piece);
    state.chars += piece.length;
    state.wakeReader();
    while (state.chars > UNREAD_CHARS_MAX && !state.hasLeft) {
      await new Promise<void>((resolve) => {
        state.wakeSource = resolve;
      });
    }
  }
}

async function* readerOf(reading: Promise<void>, state: State): AsyncGenerator<string, void> {
  try {
    for (;;) {
      const piece = state.unread.shift();
      if (piece !== undefined) {
        state.chars -= piece.length;
        state.wakeSource();
        yield piece;
      } else if (state.isOver) return await reading;
      else {
        await new Promise<void>((resolve) => {
          state.wakeReader = resolve;
        });
      }
    }
  } finally {
    state.hasLeft = true;
    state.unread.length = state.chars = 0;
    state.wakeSource();
  }
}
