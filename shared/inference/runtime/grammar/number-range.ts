/**
 * Which numbers may be written, digit by digit.
 *
 * A number has at most 15 digits, so that its decimal text and the double it is read as stand in the same order to every bound: with more digits
 * 0.99999999999999999 would be read as 1 and break `exclusiveMaximum: 1`. A number without bounds may also have an exponent of two digits, which keeps
 * it finite. `-0` is not written.
 */
export type NumberRange = {
  readonly isInteger: boolean;
  /** Without bounds. */
  readonly isFree: boolean;
  /** At index f, the least and the greatest n for which n / 10^f lies in the range. */
  readonly least: readonly number[];
  readonly greatest: readonly number[];
  /** Prefixes that were judged before: the same few come up for each token that begins with digits. */
  readonly judged: Map<string, boolean>;
};

type Bound = { readonly value: number; readonly isExclusive: boolean };
type Bounds = { readonly lower: readonly Bound[]; readonly upper: readonly Bound[]; readonly isInteger: boolean };

const DIGITS_MAX = 15;
const LARGEST = 10 ** DIGITS_MAX - 1;
const JUDGED_MAX = 1_024;

export function numberRange({ lower, upper, isInteger }: Bounds): NumberRange {
  const scales = Array.from({ length: DIGITS_MAX + 1 }, (_, scale) => scale);
  return {
    isInteger,
    isFree: lower.length === 0 && upper.length === 0,
    least: scales.map((scale) => Math.max(-LARGEST, ...lower.map((bound) => leastAbove(bound, scale)))),
    greatest: scales.map((scale) => Math.min(LARGEST, ...upper.map((bound) => -leastAbove({ ...bound, value: -bound.value }, scale)))),
    judged: new Map(),
  };
}

/** Whether some number of the range begins with this text; of the empty text, whether there is any. */
export function mayBecomeNumber(range: NumberRange, text: string): boolean {
  const known = range.judged.get(text);
  if (known !== undefined) return known;
  if (range.judged.size >= JUDGED_MAX) range.judged.clear();
  const verdict = judge(range, text);
  range.judged.set(text, verdict);
  return verdict;
}

export function isNumber(range: NumberRange, text: string): boolean {
  const [mantissa = "", exponent] = text.split(/[eE]/);
  if (exponent !== undefined && !/\d$/.test(exponent)) return false;
  const { isNegative, whole, fraction } = partsOf(mantissa);
  if (whole === "" || fraction === "") return false;
  const scale = fraction?.length ?? 0;
  return holdsAny(range, { from: Number(whole + (fraction ?? "")), count: 1, scale, isNegative });
}

/** What a number, and each beginning of one, looks like in JSON. */
const PREFIX = /^-?(\d+(\.\d*)?([eE][+-]?\d*)?)?$/;

function judge(range: NumberRange, text: string): boolean {
  if (!PREFIX.test(text)) return false;
  const [mantissa = "", exponent] = text.split(/[eE]/);
  if (exponent !== undefined) return range.isFree && !range.isInteger && isNumber(range, mantissa) && /^[+-]?\d{0,2}$/.test(exponent);
  const { isNegative, whole, fraction } = partsOf(mantissa);
  if (whole === "") return isNegative ? holdsSome(range, true) : holdsSome(range, false) || holdsSome(range, true);
  if (whole.length > DIGITS_MAX || /^0./.test(whole)) return false;
  if (fraction === undefined) return mayEndWhole(range, whole, isNegative);
  const scale = DIGITS_MAX - whole.length;
  if (range.isInteger || scale === 0 || fraction.length > scale) return false;
  const count = 10 ** (scale - fraction.length);
  return holdsAny(range, { from: Number(whole + fraction) * count, count, scale, isNegative });
}

function partsOf(mantissa: string): { isNegative: boolean; whole: string; fraction: string | undefined } {
  const isNegative = mantissa.startsWith("-");
  const [whole = "", fraction] = mantissa.slice(isNegative ? 1 : 0).split(".");
  return { isNegative, whole, fraction };
}

function holdsSome(range: NumberRange, isNegative: boolean): boolean {
  return Array.from("0123456789").some((digit) => mayEndWhole(range, digit, isNegative));
}

/** Whether the digits before the point may go on, by none or more, to a number of the range. */
function mayEndWhole(range: NumberRange, whole: string, isNegative: boolean): boolean {
  const moreMax = whole === "0" ? 0 : DIGITS_MAX - whole.length;
  for (let more = 0; more <= moreMax; more++) {
    const scale = range.isInteger ? 0 : DIGITS_MAX - whole.length - more;
    const count = 10 ** (more + scale);
    if (holdsAny(range, { from: Number(whole) * count, count, scale, isNegative })) return true;
  }
  return false;
}

type Run = { readonly from: number; readonly count: number; readonly scale: number; readonly isNegative: boolean };

/** Whether one of `count` numbers, from `from` / 10^scale on in steps of 1 / 10^scale, lies in the range. All are exact: below 10^15. */
function holdsAny({ least, greatest }: NumberRange, { from, count, scale, isNegative }: Run): boolean {
  const low = least[scale] ?? LARGEST;
  const high = greatest[scale] ?? -LARGEST;
  const first = Math.max(from, isNegative ? Math.max(1, -high) : low);
  const last = Math.min(from + count - 1, isNegative ? -low : high);
  return first <= last;
}

/** The least n for which n / 10^scale is above the bound, or on it unless it is exclusive; exact, by the bound's own decimal digits. */
function leastAbove({ value, isExclusive }: Bound, scale: number): number {
  const [mantissa = "0", exponent = "0"] = String(value).split("e");
  const [whole = "0", fraction = ""] = mantissa.split(".");
  const digits = BigInt(whole + fraction);
  const shift = Number(exponent) - fraction.length + scale;
  if (shift >= 0) return clamp(digits * 10n ** BigInt(shift) + (isExclusive ? 1n : 0n));
  const divisor = 10n ** BigInt(-shift);
  const below = floorDivide(digits, divisor);
  const isOnGrid = below * divisor === digits;
  return clamp(isOnGrid && !isExclusive ? below : below + 1n);
}

/** BigInt's own division rounds towards zero. */
function floorDivide(dividend: bigint, divisor: bigint): bigint {
  const quotient = dividend / divisor;
  return dividend < 0n && quotient * divisor !== dividend ? quotient - 1n : quotient;
}

/** One beyond what is written stands for all that lies further out. */
function clamp(n: bigint): number {
  const limit = BigInt(LARGEST) + 1n;
  return Number(n > limit ? limit : n < -limit ? -limit : n);
}
