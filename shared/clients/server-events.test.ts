import fc from "fast-check";
import { expect, test } from "vitest";
import { dataOfEvents } from "./server-events.ts";

async function dataOf(...chunks: (string | Uint8Array)[]): Promise<string[]> {
  const bytes = chunks.map((chunk) => (typeof chunk === "string" ? Buffer.from(chunk) : chunk));
  const data: string[] = [];
  for await (const each of dataOfEvents(ReadableStream.from<Uint8Array>(bytes))) data.push(each);
  return data;
}

test("events come whole however they are cut, comments and other fields passed over", async () => {
  const bytes = Buffer.from(": ping\n\ndata: a\n\nevent: x\r\nid: 1\r\ndata:b 🌊\r\n\r\ndata: c\ndata: d\n\n");

  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 5 }), async (cuts) => {
      const places = [0, ...cuts.sort((a, b) => a - b), bytes.length];
      const chunks = places.slice(1).map((end, index) => bytes.subarray(places[index], end));

      expect(await dataOf(...chunks)).toEqual(["a", "b 🌊", "c\nd"]);
    }),
  );
});

test("an event that is not ended is not told", async () => {
  expect(await dataOf("data: a\n\ndata: b")).toEqual(["a"]);
});

test("an event without an end is refused when it is too large", async () => {
  const large = "x".repeat(1024 ** 2);

  await expect(dataOf("data: ", large, large, large, large, large)).rejects.toMatchObject({ code: "engine_failed" });
});
