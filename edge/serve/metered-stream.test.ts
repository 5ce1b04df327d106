import fc from "fast-check";
import { expect, test } from "vitest";
import { type MeteredSource, type Piece, streamMetered } from "./metered-stream.ts";

const FAILED = "failed";
const END = "end";

/** How a stream goes: how many pieces come, what follows them, whether the ledger works, and how many pieces the caller reads before it leaves. */
type Course = {
  readonly pieces: number;
  readonly after: "last" | "nothing" | "error" | "silence";
  readonly ledgerFails: boolean;
  readonly reads: number;
  readonly signals: boolean;
};

/** `silence` lasts until somebody stops it, so only a caller who leaves ends it. */
const courses: fc.Arbitrary<Course> = fc.record({
  pieces: fc.nat(5),
  after: fc.constantFrom("last", "nothing", "error", "silence"),
  ledgerFails: fc.boolean(),
  reads: fc.nat(8),
  signals: fc.boolean(),
});

async function follow({ pieces, after, ledgerFails, reads, signals }: Course) {
  const events: string[] = [];
  const [caller, work] = [new AbortController(), new AbortController()];
  let brought = 0;
  async function* source(): AsyncGenerator<Piece, void> {
    while (brought < pieces) {
      brought += 1;
      yield { text: `piece ${brought}`, isLast: false };
    }
    if (after === "last") yield { text: END, isLast: true };
    if (after === "error") throw new Error("broken");
    if (after !== "silence") return;
    await new Promise<void>((resolve) => {
      if (work.signal.aborted) resolve();
      work.signal.addEventListener("abort", () => resolve(), { once: true });
    });
    throw new Error("stopped");
  }
  const metered: MeteredSource = {
    pieces: source(),
    meter: async (outcome) => {
      events.push(`${outcome} ${brought}`);
      if (ledgerFails) throw new Error("no row");
    },
    hasBrought: () => brought > 0,
    renderFailure: () => FAILED,
    stop: () => work.abort(),
    signal: caller.signal,
  };
  const reader = streamMetered(metered).getReader();
  const readsMax = after === "silence" ? Math.min(reads, pieces) : reads;
  for (let read = 0; read < readsMax; read += 1) {
    const { done, value } = await reader.read();
    if (done) return { events, isClosed: true };
    events.push(Buffer.from(value).toString());
  }
  if (signals) caller.abort();
  await reader.cancel();
  return { events, isClosed: false };
}

const isRow = (event: string) => /^(ok|cancelled) /.test(event);

test("whatever happens: one row at most, none of them for a failure, and no end before its row", async () => {
  await fc.assert(
    fc.asyncProperty(courses, async (course) => {
      const { events, isClosed } = await follow(course);
      const rows = events.filter(isRow);
      const [ended, failed] = [events.indexOf(END), events.indexOf(FAILED)];

      expect(rows.length).toBeLessThanOrEqual(1);
      if (ended >= 0) {
        expect(course.ledgerFails).toBe(false);
        expect(events.findIndex(isRow)).toBeGreaterThanOrEqual(0);
        expect(events.findIndex(isRow)).toBeLessThan(ended);
        expect(rows).toEqual([`ok ${course.pieces}`]);
      }
      // A row that the ledger refused is asked for, but not there.
      if (failed >= 0 && !course.ledgerFails) expect(rows).toEqual([]);
      if (isClosed) expect([ended, failed].filter((at) => at === events.length - 1)).toHaveLength(1);
      if (!isClosed && course.after === "silence" && course.pieces > 0 && course.reads > 0) expect(rows).toHaveLength(1);
    }),
    { numRuns: 500 },
  );
});
