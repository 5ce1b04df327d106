import { hash } from "node:crypto";
import { Failure } from "../../shared/base/failure.ts";
import type { Principal } from "../../shared/keys/principal.ts";
import type { EdgeContext } from "../env.ts";
import { answer, callerSignal, mayBeSilentFor, tell } from "../http.ts";
import { REQUEST_TIMEOUT_MS } from "../limits.ts";
import { patienceMs } from "./deadline.ts";
import { EVENT_STREAM } from "./generate.ts";
import { MAX_COST_HEADER } from "./max-cost.ts";
import type { Answered } from "./metering.ts";
import { RECEIPT_HEADER } from "./receipt.ts";
import { STREAM_HEADERS, servedHeaders, tellAll, type Write, writePlainly } from "./rendered.ts";
import type { Call, Served } from "./serve.ts";

const UNIT_CHARS_MAX = 256;

type AskedCall = Pick<Call, "dialect" | "reference"> & {
  readonly body: Uint8Array;
  /** What the dialect's own body says sticks together. */
  readonly user?: string | undefined;
  /** What it says of the time in which all has to be done, streams too. */
  readonly withinMs?: number | undefined;
};

/** Collects what `serve` needs to know of a request. */
export function callOf(c: EdgeContext, asked: AskedCall): Call {
  const { withinMs } = asked;
  const principal = c.get("principal");
  const saidMs = patienceMs((name) => c.req.header(name));
  const waitsMs = Math.min(saidMs, withinMs ?? saidMs);
  return {
    requestId: c.get("requestId"),
    acceptedAtMs: c.get("acceptedAtMs"),
    principal,
    dialect: asked.dialect,
    reference: asked.reference,
    // A tenant's users are its own: the same name under two tenants is two units.
    unit: `${principal.tenant}\n${(c.req.header("weir-unit") ?? asked.user ?? principal.keyId).slice(0, UNIT_CHARS_MAX)}`,
    fingerprint: fingerprintOf(c, asked.body),
    bodyBytes: asked.body.byteLength,
    tell: (name, value) => tell(c, name, value),
    signal: callerSignal(c),
    wantsReceipt: wantsReceipt(c.req.header("weir-receipt"), principal),
    timeoutMs: Math.min(waitsMs, REQUEST_TIMEOUT_MS),
    patienceMs: waitsMs,
    mayBeSilentFor: (ms) => mayBeSilentFor(c, ms),
    ...(withinMs === undefined ? {} : { withinMs }),
    maxCost: c.req.header(MAX_COST_HEADER),
  };
}

/** What makes a request the same as another: its tenant, path and body, and where a body's binary part begins, for that changes what the same bytes mean. */
function fingerprintOf(c: EdgeContext, body: Uint8Array): string {
  const { tenant } = c.get("principal");
  const framed = c.req.header("inference-header-content-length");
  const parts = [tenant, c.req.path, hash("sha256", body), ...(framed === undefined ? [] : [framed])];
  return hash("sha256", parts.join("\n"), "base64url");
}

/** `1` and `0`, as structured fields write numbers and as people do; what the header does not say, the key does. */
function wantsReceipt(header: string | undefined, { wantsReceipts = false }: Principal): boolean {
  if (header === undefined) return wantsReceipts;
  const said = { "1": true, "?1": true, true: true, "0": false, "?0": false, false: false }[header.trim()];
  if (said === undefined) throw new Failure("invalid_request", `${RECEIPT_HEADER}: must be 1 or 0`, { field: RECEIPT_HEADER });
  return said;
}

/** Writes what was served: who served it in the headers, the body as the dialect does. */
export function answerServed(c: EdgeContext, { body, contentType, headers }: Answered, write: Write = writePlainly) {
  tellAll(c, headers);
  return write(c, body, contentType);
}

/** The same for a stream. */
export function answerStreamed(c: EdgeContext, { body, ...served }: Served & { readonly body: ReadableStream<Uint8Array> }): Response {
  tellAll(c, { ...servedHeaders(served), ...STREAM_HEADERS });
  return answer(c, body, { contentType: EVENT_STREAM });
}
