import { Failure } from "../shared/base/failure.ts";
import { weighJson } from "../shared/oip/json-weight.ts";
import { JSON_PARTS_MAX, LOSSLESS_VALUES_MAX } from "./limits.ts";

/** Of fewer bytes no JSON takes a parser long. */
const WEIGHED_BYTES_MIN = 128 * 1024;

/**
 * Refuses JSON that would take its parser long, before it is parsed: nobody else is answered in that time. Ten megabytes are parsed within a fifth of a second when they are
 * texts or numbers, and take seconds as a million empty arrays or names. `isLossless`: long integers are read digit by digit, which costs a call for each value.
 */
export function assertLightJson(bytes: Uint8Array, { isLossless = false } = {}) {
  if (bytes.byteLength < WEIGHED_BYTES_MIN) return;
  const { parts, values, hasLongInteger } = weighJson(bytes);
  if (parts > JSON_PARTS_MAX) throw new Failure("too_large", `The body has more than ${JSON_PARTS_MAX} arrays, objects and texts.`);
  if (isLossless && hasLongInteger && values > LOSSLESS_VALUES_MAX) {
    const message = `The body has integers of 16 digits or more among more than ${LOSSLESS_VALUES_MAX} values: send such tensors in binary.`;
    throw new Failure("too_large", message);
  }
}
