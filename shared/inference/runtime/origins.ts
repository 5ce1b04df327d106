/** Where each UTF-16 unit of a text comes from: the range of the original that became it. */
export type Origins = { readonly starts: Int32Array; readonly ends: Int32Array };

/** A text on its way to tokens; with `origins` it still knows its places in the original, at the price of two numbers a unit. */
export type Traced = { readonly text: string; readonly origins?: Origins };

/** A text that nothing has changed yet. Both units of a surrogate pair come from the whole character, as other languages count. */
export function traceText(text: string, at: number): Traced {
  const starts = new Int32Array(text.length);
  const ends = new Int32Array(text.length);
  for (let unit = 0; unit < text.length; unit += 1) {
    const isPair = isHigh(text.charCodeAt(unit)) && isLow(text.charCodeAt(unit + 1));
    starts[unit] = at + unit;
    ends[unit] = at + unit + (isPair ? 2 : 1);
    if (!isPair) continue;
    unit += 1;
    starts[unit] = at + unit - 1;
    ends[unit] = at + unit + 1;
  }
  return { text, origins: { starts, ends } };
}

export function sliceTraced({ text, origins }: Traced, start: number, end: number): Traced {
  if (origins === undefined) return { text: text.slice(start, end) };
  return {
    text: text.slice(start, end),
    origins: { starts: origins.starts.subarray(start, end), ends: origins.ends.subarray(start, end) },
  };
}

/** Writes a text anew, each part of it from one unit of the old one. */
export function createRewriter(old: Origins) {
  let text = "";
  let length = 0;
  let starts = new Int32Array(old.starts.length + REWRITER_SPARE_UNITS);
  let ends = new Int32Array(starts.length);
  return {
    put(part: string, from: number) {
      if (length + part.length > starts.length) [starts, ends] = [grown(starts, part.length), grown(ends, part.length)];
      for (let unit = 0; unit < part.length; unit += 1, length += 1) {
        starts[length] = old.starts[from] ?? 0;
        ends[length] = old.ends[from] ?? 0;
      }
      text += part;
    },
    done: (): Traced & { origins: Origins } => ({ text, origins: { starts: starts.subarray(0, length), ends: ends.subarray(0, length) } }),
  };
}

/** Most changes keep a text's length or nearly so. */
const REWRITER_SPARE_UNITS = 64;

function grown(list: Int32Array<ArrayBuffer>, units: number): Int32Array<ArrayBuffer> {
  const longer = new Int32Array(2 * list.length + units);
  longer.set(list);
  return longer;
}

/** Where a change cannot be followed: every unit comes from about as far into the old text, so that spans stay in order and inside. */
export function traceRoughly(text: string, old: Traced & { origins: Origins }): Traced & { origins: Origins } {
  const rewriter = createRewriter(old.origins);
  for (let unit = 0; unit < text.length; unit += 1)
    rewriter.put(text.charAt(unit), Math.min(Math.floor((unit * old.text.length) / text.length), Math.max(0, old.text.length - 1)));
  return rewriter.done();
}

const isHigh = (unit: number) => unit >= 0xd800 && unit <= 0xdbff;
const isLow = (unit: number) => unit >= 0xdc00 && unit <= 0xdfff;
