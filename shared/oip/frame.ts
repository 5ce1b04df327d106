import { isUtf8 } from "node:buffer";
import { Failure } from "../base/failure.ts";
import { parseLossless } from "./lossless-json.ts";
import { refusal } from "./refusal.ts";

/** Says how many bytes of a body are JSON; the tensors' bytes follow, in the order of the JSON's tensors. */
export const HEADER_LENGTH = "Inference-Header-Content-Length";

export type Frame = { readonly json: unknown; readonly tensors: Uint8Array };

/** Takes a body apart; without a stated length all of it is JSON. Refuses a length that lies. */
export function splitFrame(body: Uint8Array, headerBytes: number = body.byteLength): Frame {
  if (headerBytes > body.byteLength) {
    throw refusal(HEADER_LENGTH, `is ${headerBytes}, more than the body's ${body.byteLength} bytes`);
  }
  const bytes = body.subarray(0, headerBytes);
  if (!isUtf8(bytes)) throw new Failure("invalid_request", "The body is not valid UTF-8.");
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
  try {
    return { json: parseLossless(text.replace(BYTE_ORDER_MARK, "")), tensors: body.subarray(headerBytes) };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.slice(0, 200) : "unreadable";
    throw new Failure("invalid_request", `The body is not valid JSON: ${reason}`, { cause });
  }
}

const BYTE_ORDER_MARK = /^\uFEFF/;

/** The header's value: a plain count of bytes. */
export function parseHeaderLength(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,10}$/.test(text)) throw refusal(HEADER_LENGTH, "must be a number of bytes");
  return Number(text);
}

/** Gives each tensor its bytes, in order. Refuses sizes that do not add up to what is there. */
export function createTensorReader(tensors: Uint8Array): { take: (bytes: number, field: string) => Uint8Array; end: () => void } {
  let offset = 0;
  return {
    take(bytes, field) {
      const left = tensors.byteLength - offset;
      if (bytes > left) throw refusal(field, `is ${bytes}, but ${left} bytes are left in the body`);
      offset += bytes;
      return tensors.subarray(offset - bytes, offset);
    },
    end() {
      const left = tensors.byteLength - offset;
      if (left > 0) throw new Failure("invalid_request", `The body has ${left} bytes that belong to no tensor.`);
    },
  };
}

/** Puts a body together. */
export function joinFrame(json: unknown, tensors: readonly Uint8Array[]): { body: Uint8Array; headerBytes: number } {
  const header = Buffer.from(JSON.stringify(json), "utf8");
  return { body: Buffer.concat([header, ...tensors]), headerBytes: header.byteLength };
}
