/** Between two tokens of JSON there is nothing, one space, or a new line and its indentation: enough to be pretty, and never endless. */
export const GAP_START = 0;
const GAP_FULL = 1;
const GAP_NEW_LINE = 2;
const INDENT_SPACES_MAX = 32;

const SPACE = 0x20;
const NEW_LINE = 0x0a;

/** The gap with one more byte, if that is white space which may stand there. */
export function widenGap(gap: number, byte: number): number | undefined {
  if (byte === NEW_LINE) return gap === GAP_START ? GAP_NEW_LINE : undefined;
  if (byte !== SPACE) return undefined;
  if (gap === GAP_START) return GAP_FULL;
  return gap >= GAP_NEW_LINE && gap < GAP_NEW_LINE + INDENT_SPACES_MAX ? gap + 1 : undefined;
}
