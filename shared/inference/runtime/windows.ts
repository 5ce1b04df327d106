/** How many tokens of a pair remain (tokenizers, `truncate_encodings`, LongestFirst): the shorter text is cut last. */
export function longestFirst({ first, second }: { first: number; second: number }, room: number): { first: number; second: number } {
  if (first + second <= room) return { first, second };
  const shorter = Math.min(first, second);
  const keptOfShorter = shorter * 2 <= room ? shorter : Math.floor(room / 2);
  const keptOfLonger = room - keptOfShorter;
  return first > second ? { first: keptOfLonger, second: keptOfShorter } : { first: keptOfShorter, second: keptOfLonger };
}

export type Window = { readonly start: number; readonly end: number };

/**
 * The windows that a text of `tokens` is read in (tokenizers, `Encoding::truncate`): each holds `room` tokens, of which it shares `stride` with
 * the one before, and the last ends with the text. There Rust refuses a stride that fills the window; here half of it is shared.
 */
export function windowsOf(tokens: number, { room, stride }: { room: number; stride: number }): Window[] {
  const step = room - (stride < room ? stride : Math.floor(room / 2));
  const windows: Window[] = [];
  for (let start = 0; start === 0 || start + room - step < tokens; start += step)
    windows.push({ start, end: Math.min(start + room, tokens) });
  return windows;
}
