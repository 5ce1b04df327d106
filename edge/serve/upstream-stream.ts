import type { Readable } from "node:stream";
import { Failure } from "../../shared/base/failure.ts";
import type { EngineUsage } from "./engine-usage.ts";
import { type Piece, streamMetered } from "./metered-stream.ts";
import type { Meter, Reached } from "./metering.ts";
import { createStreamUsage, type StreamEvent, type StreamTokens, type StreamUsage } from "./stream-usage.ts";

const EVENT_CHARS_MAX = 1024 ** 2;
const DONE = "[DONE]";

/** What the caller sees of the usage that the engine tells: as much as it asked for itself, whatever we asked for. */
export type ShownUsage = "none" | "at the end" | "as it comes";

export type StreamPlan = {
  readonly meter: Meter;
  /** The row's quantities, by what the engine has counted so far. */
  readonly reached: (usage: EngineUsage) => Reached;
  readonly signal: AbortSignal;
  readonly contentType: string;
  readonly tokens: StreamTokens;
  readonly shownUsage: ShownUsage;
  /** How the stream says that it has failed. */
  readonly renderFailure: (cause: unknown) => string;
};

/** Passes an event stream on as it comes, counts its tokens, and holds its end back until the row is durable (see `streamMetered`). */
export function meterEventStream(body: Readable, plan: StreamPlan): ReadableStream<Uint8Array> {
  const { meter, signal, contentType, renderFailure } = plan;
  const usage = createStreamUsage(plan.tokens);
  const reached = () => plan.reached(usage.counted());
  meter.prepare(reached());
  return streamMetered({
    pieces: piecesOf(body, plan, usage),
    ...{ meter, renderFailure, signal, contentType, reached },
    hasBrought: usage.hasBrought,
    stop: () => body.destroy(),
  });
}

/** What an engine may send after its last event is not waited for. */
async function* piecesOf(body: Readable, plan: StreamPlan, usage: StreamUsage): AsyncGenerator<Piece, void> {
  for await (const text of eventsOf(body)) {
    const data = dataOf(text);
    if (data === undefined || data === DONE) {
      yield { text: `${text}\n\n`, isLast: data === DONE };
      continue;
    }
    const event = JSON.parse(data) as WireEvent; // OpenAI's stream event; a failure to parse breaks the stream
    if (event.error) throw new Failure("engine_failed", "The engine behind this model broke off its answer.", { cause: engineError(data) });
    usage.note(event);
    const shown = shownOf(text, event, plan);
    yield { text: shown === "" ? "" : `${shown}\n\n`, isLast: false };
  }
}

type WireEvent = StreamEvent & { readonly error?: unknown };

const ERROR_CHARS_MAX = 500;
/** Its words are between the engine and us. */
const engineError = (data: string) => new Error(`the engine's stream says: ${data.slice(0, ERROR_CHARS_MAX)}`);

/** An event without what its caller has not asked for; empty if nothing is left of it. Where an engine tells everything only because we asked, it is taken out again: some clients add it up. */
function shownOf(text: string, event: WireEvent, { shownUsage, tokens }: StreamPlan): string {
  if (!event.usage || shownUsage === "as it comes") return text;
  const isAtTheEnd = (event.choices ?? []).length === 0;
  if (isAtTheEnd) return shownUsage === "none" ? "" : text;
  return tokens.isToldThroughout ? withUsage(text, event, shownUsage === "none" ? undefined : null) : text;
}

function withUsage(text: string, event: WireEvent, usage: null | undefined): string {
  const lines = text.split("\n").map((line) => (line.startsWith("data:") ? `data: ${JSON.stringify({ ...event, usage })}` : line));
  return lines.join("\n");
}

async function* eventsOf(body: Readable): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let pending = "";
  // undici's bodies give buffers
  for await (const chunk of body as AsyncIterable<Buffer>) {
    pending = (pending + decoder.decode(chunk, { stream: true })).replaceAll("\r\n", "\n");
    const events = pending.split("\n\n");
    pending = events.pop() ?? "";
    if (pending.length > EVENT_CHARS_MAX) throw new Error("an event of the stream is too large");
    yield* events.filter((event) => event !== "");
  }
  if (pending.trim() !== "") yield pending.trimEnd();
}

function dataOf(event: string): string | undefined {
  const line = event.split("\n").find((each) => each.startsWith("data:"));
  return line?.slice("data:".length).trim();
}
