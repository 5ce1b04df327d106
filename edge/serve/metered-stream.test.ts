import fc from "fast-check";
import { expect, test } from "vitest";
import { createMeterDouble, reachedOf } from "../../test/harness/meter-double.ts";
import { type MeteredSource, type Piece, streamMetered } from "./metered-stream.ts";

const FAILED = "failed";
const END = "end";

/** How a stream goes: how many pieces come, what follows them, which step of the ledger fails, and how many pieces the caller reads before it leaves. */
type Course = {
  readonly pieces: number;
  readonly after: "last" | "nothing" | "error" | "silence";
  readonly ledgerFails: "never" | "cover" | "settle";
  /** From which piece on. */
  readonly failsAfter: number;
  readonly reads: number;
  readonly signals: boolean;
};

/** `silence` lasts until somebody stops it, so only a caller who leaves ends it. */
const courses: fc.Arbitrary<Course> = fc.record({
  pieces: fc.nat(5),
  after: fc.constantFrom("last", "nothing", "error", "silence"),
  ledgerFails: fc.constantFrom("never", "cover", "settle"),
  failsAfter: fc.nat(5),
  reads: fc.nat(8),
  signals: fc.boolean(),
});

async function follow({ pieces, after, ledgerFails, failsAfter, reads, signals }: Course) {
  const [caller, work] = [new AbortController(), new AbortController()];
  let brought = 0;
  const meter = createMeterDouble((step) => step === ledgerFails && brought > failsAfter);
  const events = meter.steps;
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
    meter,
    reached: () => reachedOf({ outputTokens: brought }),
    hasBrought: () => brought > 0,
    renderFailure: () => FAILED,
    stop: () => work.abort(),
    signal: caller.signal,
    contentType: "text/event-stream",
  };
  const reader = streamMetered(metered).getReader();
  const readsMax = after === "silence" && ledgerFails !== "cover" ? Math.min(reads, pieces) : reads;
  for (let read = 0; read < readsMax; read += 1) {
    if (after === "silence" && read === pieces) break;
    const { done, value } = await reader.read();
    if (done) return { events, isClosed: true };
    events.push(Buffer.from(value).toString());
  }
  if (signals) caller.abort();
  await reader.cancel();
  return { events, isClosed: false };
}

const isRow = (event: string) => /^(ok|cancelled|cut) /.test(event);
const numberIn = (event: string | undefined) => Number(event?.split(" ")[1] ?? 0);

test("whatever happens: nothing leaves uncovered, and what was delivered is billed once, to the token", async () => {
  await fc.assert(
    fc.asyncProperty(courses, async (course) => {
      const { events, isClosed } = await follow(course);
      const rows = events.filter(isRow);
      const ended = events.indexOf(END);
      const delivered = numberIn(events.findLast((event) => event.startsWith("piece")));

      for (const [at, event] of events.entries())
        if (event.startsWith("piece")) expect(events.slice(0, at)).toContain(`covered ${numberIn(event)}`);
      expect([...rows, ...events.filter((event) => event === "void")].length).toBeLessThanOrEqual(1);
      if (ended >= 0) {
        expect(rows).toEqual([`ok ${course.pieces}`]);
        expect(events.findIndex(isRow)).toBeLessThan(ended);
      }
      if (course.ledgerFails !== "settle" && delivered > 0) expect(rows).toHaveLength(1);
      // A stream holds one piece that its caller has not read yet.
      if (rows[0] !== undefined) expect(numberIn(rows[0]) - delivered).toBeOneOf(isClosed ? [0] : [0, 1]);
      if (isClosed) expect([ended, events.indexOf(FAILED)].filter((at) => at >= 0)).toHaveLength(1);
    }),
    { numRuns: 500 },
  );
});

test("a stream that breaks is billed as cut, and one that breaks before any text not at all", async () => {
  const course: Course = { pieces: 3, after: "error", ledgerFails: "never", failsAfter: 0, reads: 8, signals: false };

  const broken = await follow(course);
  const early = await follow({ ...course, pieces: 0 });

  expect(broken.events.slice(-2)).toEqual(["cut 3", FAILED]);
  expect(early.events).toEqual(["void", FAILED]);
});

test("a store that cannot cover a piece ends the stream with what is covered", async () => {
  const { events } = await follow({ pieces: 3, after: "last", ledgerFails: "cover", failsAfter: 2, reads: 8, signals: false });

  expect(events).toEqual(["covered 1", "piece 1", "covered 2", "piece 2", "cut 2", FAILED]);
});
