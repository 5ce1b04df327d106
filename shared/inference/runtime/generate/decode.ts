import type { Seat, SeatedLane } from "./cache-pool.ts";
import type { Engine } from "./generator.ts";
import { closeChoice, type LiveOrder, type Member } from "./live-order.ts";
import { logitsAt, runRows } from "./run.ts";

export type StepHands = {
  /** Runs work for some orders, and fails them if it fails. */
  readonly guard: <T>(lives: readonly LiveOrder[], work: () => Promise<T>, otherwise: T) => Promise<T>;
  readonly leave: (seat: Seat) => void;
};

/** Draws a token for every sequence that runs: in one run for each lane, where the graph allows. */
export async function decodeStep(engine: Engine, hands: StepHands): Promise<void> {
  for (const member of engine.members.values()) engine.pool.extend(member.seat, member.seat.length + 1);
  for (const batch of engine.pool.lanes().flatMap((lane) => batchesOf(engine, lane))) {
    const drawn = await hands.guard(
      batch.map(({ live }) => live),
      () => drawBatch(engine, hands, batch),
      [],
    );
    for (const { choice, live, index } of drawn) if (choice.isFinished()) closeChoice(live, index, choice);
  }
  for (const { seat, choice } of engine.members.values()) if (choice.isFinished()) hands.leave(seat);
}

/** Neighbours that may share a run. A row whose prompt is still being read parts them. */
function batchesOf({ members, drive, isBatched }: Engine, { seats }: SeatedLane): Member[][] {
  const batches: Member[][] = [];
  let last: Member | undefined;
  for (const seat of seats) {
    const member = members.get(seat);
    const joins = member !== undefined && last !== undefined && isBatched && (drive.mode !== "packed" || last.seat.length === seat.length);
    if (member !== undefined && joins) batches.at(-1)?.push(member);
    else if (member !== undefined) batches.push([member]);
    last = member;
  }
  return batches;
}

async function drawBatch({ drive, clock, totals }: Engine, { guard }: StepHands, batch: readonly Member[]): Promise<readonly Member[]> {
  const [first] = batch;
  if (first === undefined) return [];
  const startedAtMs = clock.nowMs();
  const logits = await runRows(drive.mode, {
    lane: first.seat.lane,
    first: first.seat.row,
    lengths: batch.map(({ seat }) => seat.length),
    tokens: batch.map(({ choice }) => Int32Array.of(choice.token())),
    logits: "last",
  });
  if (logits === undefined) throw new Error("a run that is asked for logits gives them");
  for (const [row, { live, seat, choice }] of batch.entries()) {
    seat.length += 1;
    // A row that cannot go on ends its own order, and nobody else's.
    if (!live.isOver) await guard([live], async () => choice.draw(logitsAt(logits, row, 1)), undefined);
    totals.drawnTokens += live.isOver ? 0 : 1;
  }
  const ranMs = clock.nowMs() - startedAtMs;
  totals.runMs += ranMs;
  for (const { live } of batch) live.runMs += ranMs / batch.length;
  return batch.filter(({ live }) => !live.isOver);
}
