import { promisify } from "node:util";
import { createGunzip, createInflate, deflate, gzip } from "node:zlib";
import { Failure } from "../../../shared/base/failure.ts";
import type { EdgeContext } from "../../env.ts";
import { answer, bodyTooLarge, readBody, tell } from "../../http.ts";
import { BODY_BYTES_MAX } from "../../limits.ts";

/** HTTP's `deflate` is zlib's format. What stands behind the compressed data is refused, not ignored. */
const INFLATERS = { gzip: createGunzip, deflate: createInflate };
const DEFLATERS = { gzip: promisify(gzip), deflate: promisify(deflate) };
type Coding = keyof typeof INFLATERS;

/** Smaller answers are sent as they are: a packet holds them anyway. */
export const COMPRESSED_BYTES_MIN = 1_024;
/** The fastest: numbers hardly shrink any further. */
const LEVEL = 1;

/** Reads a body, compressed or not; `BODY_BYTES_MAX` holds for what comes out, and what comes out counts as held. */
export async function readPlainBody(c: EdgeContext): Promise<Uint8Array> {
  const coding = (c.req.header("content-encoding") ?? "identity").trim().toLowerCase();
  if (coding === "identity") return readBody(c);
  if (!isCoding(coding)) throw new Failure("unsupported_media", "A body may be compressed by gzip or deflate only.");
  return inflate(c, await readBody(c), coding);
}

/** Answers in the coding that the caller asks for, if that is worth it. */
export async function answerCompressed(c: EdgeContext, whole: string | Uint8Array, contentType: string): Promise<Response> {
  const body = typeof whole === "string" ? Buffer.from(whole) : whole;
  const coding = acceptedCoding(c.req.header("accept-encoding") ?? "");
  if (coding === undefined || body.byteLength < COMPRESSED_BYTES_MIN) return answer(c, body, { contentType });
  const compressed = await DEFLATERS[coding](body, { level: LEVEL });
  tell(c, "Content-Encoding", coding);
  tell(c, "Vary", "Accept-Encoding");
  return answer(c, compressed, { contentType });
}

/** The first of ours that `Accept-Encoding` names and does not exclude (RFC 9110, 12.5.3). */
export function acceptedCoding(header: string): Coding | undefined {
  const accepted = header.split(",").flatMap((each) => {
    const [name = "", ...parameters] = each.split(";").map((part) => part.trim().toLowerCase());
    return parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter)) ? [] : [name];
  });
  return accepted.find(isCoding);
}

async function inflate(c: EdgeContext, body: Uint8Array, coding: Coding): Promise<Uint8Array> {
  const stream = INFLATERS[coding]({ rejectGarbageAfterEnd: true });
  stream.end(body);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    // Piece by piece, so that a small body that swells is stopped at the limit and not after it.
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      // it has no encoding set, so it gives bytes
      bytes += chunk.byteLength;
      if (bytes > BODY_BYTES_MAX) throw bodyTooLarge();
      c.get("hold").take(chunk.byteLength);
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof Failure) throw cause;
    throw new Failure("invalid_request", `The body is not valid ${coding}.`, { cause });
  }
  return Buffer.concat(chunks);
}

function isCoding(name: string): name is Coding {
  return Object.hasOwn(INFLATERS, name);
}
