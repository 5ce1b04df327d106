/// <reference lib="es2025.float16" />
import type { Tensor } from "./session.ts";

/** A tensor of any float type as float32, float32 itself without a copy; undefined for other types. */
export function toFloat32({ type, data }: Tensor): Float32Array | undefined {
  if (data instanceof Float32Array) return data;
  if (data instanceof Float64Array) return Float32Array.from(data);
  if (type !== "float16" || !(data instanceof Uint16Array)) return undefined;
  return Float32Array.from(new Float16Array(data.buffer, data.byteOffset, data.length));
}
