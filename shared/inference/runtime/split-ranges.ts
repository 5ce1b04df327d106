/** A part of a text: what a pattern found (or did not, where it is inverted), or what lies between. */
export type Range = { readonly start: number; readonly end: number; readonly isMatch: boolean };

/** Every unit of a text lies in one range. */
export function rangesOf(text: string, pattern: RegExp, isInverted: boolean): Range[] {
  const ranges: Range[] = [];
  let at = 0;
  for (const { 0: found, index } of text.matchAll(pattern)) {
    if (found === "") continue;
    if (index > at) ranges.push({ start: at, end: index, isMatch: isInverted });
    at = index + found.length;
    ranges.push({ start: index, end: at, isMatch: !isInverted });
  }
  if (at < text.length) ranges.push({ start: at, end: text.length, isMatch: isInverted });
  return ranges;
}

/** What becomes of the matches (tokenizers, `SplitDelimiterBehavior`). */
export function mergeRanges(ranges: readonly Range[], behavior: unknown): Range[] {
  switch (behavior) {
    case "Removed":
      return ranges.filter(({ isMatch }) => !isMatch);
    case "Contiguous":
      return joinWhere(ranges, (range, before) => range.isMatch === before.isMatch);
    case "MergedWithPrevious":
      return joinWhere(ranges, (range, before) => range.isMatch && !before.isMatch);
    case "MergedWithNext":
      return joinWhere(ranges, (range, before) => before.isMatch && !range.isMatch);
    default:
      return [...ranges];
  }
}

/** Joins a range to the one before it, whatever that one was joined to itself. */
function joinWhere(ranges: readonly Range[], joins: (range: Range, before: Range) => boolean): Range[] {
  const joined: Range[] = [];
  ranges.forEach((range, index) => {
    const [last, before] = [joined.at(-1), ranges[index - 1]];
    if (last !== undefined && before !== undefined && joins(range, before)) joined[joined.length - 1] = { ...last, end: range.end };
    else joined.push(range);
  });
  return joined;
}
