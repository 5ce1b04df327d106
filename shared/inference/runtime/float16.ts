import type { Tensor } from "./session.ts";

const FRACTION_BITS = 10;
const EXPONENT_MAX = 31;
const EXPONENT_BIAS = 15;

/** A tensor of any float type as float32, float32 itself without a copy; undefined for other types. */
export function toFloat32({ type, data }: Tensor): Float32Array | undefined {
  if (data instanceof Float32Array) return data;
  if (data instanceof Float64Array) return Float32Array.from(data);
  return type === "float16" && data instanceof Uint16Array ? Float32Array.from(data, float16Of) : undefined;
}

/** The number that 16 bits stand for (IEEE 754, binary16). */
export function float16Of(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> FRACTION_BITS) & EXPONENT_MAX;
  const fraction = (bits & 0x3ff) / 2 ** FRACTION_BITS;
  if (exponent === EXPONENT_MAX) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  // Without an exponent there is no leading one either.
  return exponent === 0 ? sign * fraction * 2 ** (1 - EXPONENT_BIAS) : sign * (1 + fraction) * 2 ** (exponent - EXPONENT_BIAS);
}
