import type { Readable } from "node:stream";
import { renderOpenaiFailure } from "../dialects/openai/failure.ts";
import { type EngineUsage, engineUsageOf, type Meter } from "./engine-usage.ts";
import { upstreamFailure } from "./upstream-client.ts";

const EVENT_CHARS_MAX = 1024 ** 2;

/**
 * Passes an event stream on as it comes, counts its tokens, and holds its end back until the row is durable.
 * A stream that breaks is said to be broken in-band; it never ends as if it were whole. One whose caller leaves is metered as far as it came.
 */
export function meterEventStream(body: Readable, { meter, signal }: { meter: Meter; signal: AbortSignal }): ReadableStream<Uint8Array> {
  const events = meteredEvents(body, meter, signal);
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await events.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      body.destroy();
      await events.return(undefined);
    },
  });
}

type Progress = { usage: EngineUsage | undefined; chunks: number };

async function* meteredEvents(body: Readable, meter: Meter, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
  const progress: Progress = { usage: undefined, chunks: 0 };
  let isOver = false;
  try {
    for await (const event of eventsOf(body)) {
      note(progress, event);
      if (isDone(event)) {
        isOver = true;
        await meter(usageOf(progress), "ok");
      }
      yield Buffer.from(`${event}\n\n`);
    }
    if (!isOver) throw new Error("the stream ended without [DONE]");
  } catch (cause) {
    // The engine's fault, or the ledger's: not billed, and never a clean end.
    isOver ||= !signal.aborted;
    yield Buffer.from(`data: ${JSON.stringify(renderOpenaiFailure(upstreamFailure(cause, signal), ""))}\n\n`);
  } finally {
    // Not over here means that the caller has left in the middle: metered as far as it came.
    if (!isOver && progress.chunks > 0) await meter(usageOf(progress), "cancelled").catch(() => {});
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

function note(progress: Progress, event: string) {
  const data = dataOf(event);
  if (data === undefined || data === "[DONE]") return;
  const { usage, choices } = JSON.parse(data) as { usage?: unknown; choices?: unknown[] }; // OpenAI's stream event; a failure to parse breaks the stream
  if (usage) progress.usage = engineUsageOf(usage);
  if (Array.isArray(choices) && choices.length > 0) progress.chunks += 1;
}

function isDone(event: string): boolean {
  return dataOf(event) === "[DONE]";
}

function dataOf(event: string): string | undefined {
  const line = event.split("\n").find((each) => each.startsWith("data:"));
  return line?.slice("data:".length).trim();
}
