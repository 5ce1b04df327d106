import type { Readable } from "node:stream";
import { type EngineUsage, engineUsageOf } from "./engine-usage.ts";
import { type Piece, streamMetered } from "./metered-stream.ts";
import type { Meter, Reached } from "./metering.ts";

const EVENT_CHARS_MAX = 1024 ** 2;
const DONE = "[DONE]";

export type StreamPlan = {
  readonly meter: Meter;
  /** The row's quantities, by what the engine has counted so far. */
  readonly reached: (usage: EngineUsage) => Reached;
  readonly signal: AbortSignal;
  readonly contentType: string;
  /** The usage event was asked for by us alone, so the caller does not get it. */
  readonly hidesUsage: boolean;
  /** How the stream says that it has failed. */
  readonly renderFailure: (cause: unknown) => string;
};

/** Passes an event stream on as it comes, counts its tokens, and holds its end back until the row is durable (see `streamMetered`). */
export function meterEventStream(body: Readable, plan: StreamPlan): ReadableStream<Uint8Array> {
  const { meter, reached, signal, contentType, hidesUsage, renderFailure } = plan;
  const progress: Progress = { usage: undefined, chunks: 0 };
  meter.prepare(reached(usageOf(progress)));
  return streamMetered({
    pieces: piecesOf(body, progress, hidesUsage),
    ...{ meter, renderFailure, signal, contentType },
    reached: () => reached(usageOf(progress)),
    hasBrought: () => progress.chunks > 0,
    stop: () => body.destroy(),
  });
}

type Progress = { usage: EngineUsage | undefined; chunks: number };

/** What an engine may send after its last event is not waited for. */
async function* piecesOf(body: Readable, progress: Progress, hidesUsage: boolean): AsyncGenerator<Piece, void> {
  for await (const event of eventsOf(body)) {
    const isHidden = note(progress, event) && hidesUsage;
    yield { text: isHidden ? "" : `${event}\n\n`, isLast: isDone(event) };
  }
}

/** Without a usage event each content event is one token: what OpenAI-compatible engines send. */
function usageOf(progress: Progress): EngineUsage {
  return progress.usage ?? { inputTokens: 0, outputTokens: progress.chunks };
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

/** Counts what an event brings; true if it is the usage event, which has no content. */
function note(progress: Progress, event: string): boolean {
  const data = dataOf(event);
  if (data === undefined || data === DONE) return false;
  const { usage, choices } = JSON.parse(data) as { usage?: unknown; choices?: unknown[] }; // OpenAI's stream event; a failure to parse breaks the stream
  const hasContent = Array.isArray(choices) && choices.length > 0;
  if (usage) progress.usage = engineUsageOf(usage);
  if (hasContent) progress.chunks += 1;
  return Boolean(usage) && !hasContent;
}

function isDone(event: string): boolean {
  return dataOf(event) === DONE;
}

function dataOf(event: string): string | undefined {
  const line = event.split("\n").find((each) => each.startsWith("data:"));
  return line?.slice("data:".length).trim();
}
