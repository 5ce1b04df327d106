import { type Frame, splitFrame } from "../../../shared/oip/frame.ts";
import { assertLightJson } from "../../json-weight.ts";

/** Takes a caller's body apart; without a stated length all of it is JSON. */
export function readFrame(body: Uint8Array, headerBytes: number = body.byteLength): Frame {
  assertLightJson(body.subarray(0, headerBytes), { isLossless: true });
  return splitFrame(body, headerBytes);
}
