import type { Readable } from "node:stream";
import { renderOpenaiFailure } from "../dialects/openai/failure.ts";
import { type EngineUsage, engineUsageOf, type Meter } from "./engine-usage.ts";
import { upstreamFailure } from "./upstream-client.ts";

const EVENT_CHARS_MAX = 1024 ** 2;

export type StreamPlan = {
  readonly meter: Meter;
  readonly signal: AbortSignal;
  /** The usage event was asked for by us alone, so the caller does not get it. */
  readonly hidesUsage: boolean;
};

/**
 * Passes an event stream on as it comes, counts its tokens, and holds its end back until the row is durable.
 * A stream that breaks is said to be broken in-band; it never ends as if it were whole. One whose caller leaves is metered as far as it came.
 */
export function meterEventStream(body: Readable, plan: StreamPlan): ReadableStream<Uint8Array> {
  const progress: Progress = { usage: undefined, chunks: 0, isOver: false, hasCallerLeft: false };
  const events = meteredEvents(body, plan, progress);
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await events.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      progress.hasCallerLeft = true;
      body.destroy();
      await events.return(undefined);
    },
  });
}

type Progress = { usage: EngineUsage | undefined; chunks: number; isOver: boolean; hasCallerLeft: boolean };

async function* meteredEvents(
  body: Readable,
  { meter, signal, hidesUsage }: StreamPlan,
  progress: Progress,
): AsyncGenerator<Uint8Array, void> {
  try {
    for await (const event of eventsOf(body)) {
      if (isDone(event)) {
        progress.isOver = true;
        await meter(usageOf(progress), "ok");
        yield bytesOf(event);
        return; // what an engine may send after its last event holds nobody up
      }
      const isUsage = note(progress, event);
      if (!isUsage || !hidesUsage) yield bytesOf(event);
    }
    throw new Error("the stream ended without [DONE]");
  } catch (cause) {
    if (progress.hasCallerLeft || signal.aborted) return;
    // The engine's fault, or the ledger's: not billed, and never a clean end.
    progress.isOver = true;
    yield bytesOf(`data: ${JSON.stringify(renderOpenaiFailure(upstreamFailure(cause, signal), ""))}`);
  } finally {
    // Not over here means that the caller has left in the middle: metered as far as it came.
    if (!progress.isOver && progress.chunks > 0) await meter(usageOf(progress), "cancelled").catch(() => {});
  }
}

function bytesOf(event: string): Uint8Array {
  return Buffer.from(`${event}\n\n`);
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
  if (data === undefined) return false;
  const { usage, choices } = JSON.parse(data) as { usage?: unknown; choices?: unknown[] }; // OpenAI's stream event; a failure to parse breaks the stream
  const hasContent = Array.isArray(choices) && choices.length > 0;
  if (usage) progress.usage = engineUsageOf(usage);
  if (hasContent) progress.chunks += 1;
  return Boolean(usage) && !hasContent;
}

function isDone(event: string): boolean {
  return dataOf(event) === "[DONE]";
}

function dataOf(event: string): string | undefined {
  const line = event.split("\n").find((each) => each.startsWith("data:"));
  return line?.slice("data:".length).trim();
}
