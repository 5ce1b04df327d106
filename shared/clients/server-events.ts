import { Failure } from "../base/failure.ts";

const EVENT_CHARS_MAX = 4 * 1024 ** 2;

/** The data of server-sent events, one by one; comments, which are heartbeats, and events without data are passed over (WHATWG HTML, 9.2.6). */
export async function* dataOfEvents(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  let pending = "";
  for await (const chunk of stream) {
    pending = (pending + decoder.decode(chunk, { stream: true })).replace(/\r\n?(?!$)/g, "\n");
    const events = pending.split("\n\n");
    pending = events.pop() ?? "";
    if (pending.length > EVENT_CHARS_MAX) throw new Failure("engine_failed", "An event of the stream is too large.");
    for (const event of events) {
      const lines = event.split("\n").filter((line) => line.startsWith("data:"));
      if (lines.length > 0) yield lines.map((line) => line.slice("data:".length).replace(/^ /, "")).join("\n");
    }
  }
}
