/** What a reader makes of a completion's events. */
export function readEvents(text: string) {
  const data = text.split("\n\n").flatMap((event) => (event.startsWith("data: {") ? [JSON.parse(event.slice("data: ".length))] : []));
  const texts = data.flatMap((each) => each.choices?.map((choice: { text: string }) => choice.text) ?? []);
  return { text: texts.join(""), error: data.find((each) => each.error)?.error, isDone: text.includes("data: [DONE]") };
}

/** Reads until that is enough, or the stream is over; answers what it has read. */
export async function readUntil(reader: ReadableStreamDefaultReader<Uint8Array> | undefined, isEnough: (seen: string) => boolean) {
  let seen = "";
  while (!isEnough(seen)) {
    const next = await reader?.read();
    if (next === undefined || next.done) return seen;
    seen += Buffer.from(next.value).toString();
  }
  return seen;
}
