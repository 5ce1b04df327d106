import * as z from "zod";
import { Failure } from "../base/failure.ts";
import type { GenerateEvent } from "./generation.ts";
import { failureBody, failureIn, garbled, jsonOrUndefined } from "./wire.ts";

/** A generation's events, one JSON object a line; the last is `done`, or an error's body where it broke. */
export const EVENTS_TYPE = "application/x-ndjson";
/** Bytes of one line: a token with twenty alternatives has about 3 KB, and a step of a long echo many tokens. */
const LINE_BYTES_MAX = 16 * 1024 ** 2;

const Candidate = { token: z.int(), text: z.string(), bytes: z.array(z.int().min(0).max(255)) };
const TokenLogprob = z.object({
  ...Candidate,
  logprob: z.number().nullable(),
  top: z.array(z.object({ ...Candidate, logprob: z.number() })),
});
const Event = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("begun"), inputTokens: z.array(z.int().min(0)) }),
  z.object({
    kind: z.literal("text"),
    choice: z.int().min(0),
    text: z.string(),
    tokens: z.int().min(0),
    logprobs: z.exactOptional(z.array(TokenLogprob)),
  }),
  z.object({
    kind: z.literal("finished"),
    choice: z.int().min(0),
    finish: z.object({ reason: z.enum(["stop", "length"]), stopText: z.exactOptional(z.string()) }),
  }),
  z.object({ kind: z.literal("done"), outputTokens: z.array(z.int().min(0)), queueMs: z.number().min(0), runMs: z.number().min(0) }),
]) satisfies z.ZodType<GenerateEvent>;

export function encodeEvent(event: GenerateEvent): string {
  return `${JSON.stringify(event)}\n`;
}

/** What follows when a generation breaks after its first event. */
export function encodeBreak(failure: Failure): string {
  return `${JSON.stringify(failureBody(failure))}\n`;
}

/** Reads events as their bytes come. Fails with what the function said, or with `engine_failed` if the lines end before `done`. */
export async function* decodeEvents(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<GenerateEvent, void> {
  for await (const line of linesOf(chunks)) {
    const event = eventOf(line);
    yield event;
    if (event.kind === "done") return;
  }
  throw new Failure("engine_failed", "The inference function broke off.", { cause: new Error("its events end without `done`") });
}

function eventOf(line: Uint8Array): GenerateEvent {
  const value = jsonOrUndefined(line);
  const parsed = Event.safeParse(value);
  if (parsed.success) return parsed.data;
  throw failureIn(value) ?? garbled("a line is no event", parsed.error);
}

async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  let rest: Uint8Array = new Uint8Array();
  for await (const chunk of chunks) {
    rest = rest.byteLength === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE)) {
      yield rest.subarray(0, end);
      rest = rest.subarray(end + 1);
    }
    if (rest.byteLength > LINE_BYTES_MAX) throw garbled("a line is too long");
  }
  if (rest.byteLength > 0) yield rest;
}

const NEWLINE = 0x0a;
