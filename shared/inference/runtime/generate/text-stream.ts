/** A piece of text that may leave, and the stop text that ended it. */
export type Piece = { readonly text: string; readonly stopText?: string };

export type TextStream = {
  /** Takes a token's bytes and gives the text that is certain: whole characters, and nothing that could become a stop text. */
  readonly push: (bytes: Uint8Array) => Piece;
  /** Nothing follows: half characters become U+FFFD, and what was held back leaves. */
  readonly end: () => Piece;
  /** UTF-16 units that came out of the bytes so far, held back or not. */
  readonly length: () => number;
};

/**
 * Turns bytes into text as decoding all of them at once would (the WHATWG's and Python's rule for invalid bytes: one U+FFFD for each longest
 * beginning of a character), and ends it before the first stop text to be complete.
 */
export function createTextStream(stops: readonly string[]): TextStream {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let held = "";
  let length = 0;

  function take(text: string, isEnd: boolean): Piece {
    length += text.length;
    held += text;
    const stop = firstStop(held, stops);
    const certain = stop?.start ?? (isEnd ? held.length : held.length - heldBack(held, stops));
    const piece = held.slice(0, certain);
    held = held.slice(certain);
    return stop === undefined ? { text: piece } : { text: piece, stopText: stop.text };
  }

  return {
    push: (bytes) => take(decoder.decode(bytes, { stream: true }), false),
    end: () => take(decoder.decode(), true),
    length: () => length,
  };
}

/** Of all stop texts in a text, the one that ends first; of those, the one that begins first. So it makes no difference how the text came in pieces. */
function firstStop(text: string, stops: readonly string[]): { readonly start: number; readonly text: string } | undefined {
  const found = stops.flatMap((stop) => {
    const start = text.indexOf(stop);
    return start < 0 ? [] : [{ start, end: start + stop.length, text: stop }];
  });
  return found.sort((a, b) => a.end - b.end || a.start - b.start)[0];
}

/** UTF-16 units at a text's end that a stop text could begin with. */
function heldBack(text: string, stops: readonly string[]): number {
  return stops.reduce((most, stop) => Math.max(most, overlap(text, stop)), 0);
}

function overlap(text: string, stop: string): number {
  for (let size = Math.min(text.length, stop.length - 1); size > 0; size -= 1) if (text.endsWith(stop.slice(0, size))) return size;
  return 0;
}
