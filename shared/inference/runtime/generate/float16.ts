const FRACTION_BITS = 10;
const EXPONENT_BIAS = 15;
const CODES = 2 ** 16;

/** IEEE 754 half precision, given as bits, as numbers. */
export function fromFloat16(bits: Uint16Array): Float32Array {
  table ??= Float32Array.from({ length: CODES }, (_, code) => decodeCode(code));
  const known = table;
  return Float32Array.from(bits, (code) => known[code] ?? 0);
}

/** Logits are tens of thousands a step: looking a code up is cheaper than computing it. */
let table: Float32Array | undefined;

function decodeCode(code: number): number {
  const sign = code >>> 15 === 0 ? 1 : -1;
  const exponent = (code >>> FRACTION_BITS) & 31;
  const fraction = (code & 1023) / 2 ** FRACTION_BITS;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** (1 - EXPONENT_BIAS) : sign * (1 + fraction) * 2 ** (exponent - EXPONENT_BIAS);
}
