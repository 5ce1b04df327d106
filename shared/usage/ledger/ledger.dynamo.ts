import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../../base/clock.ts";
import { Failure } from "../../base/failure.ts";
import { acceptedAtMsOf } from "../../base/id.ts";
import type { LeanDynamo, WireItem } from "../../dynamo/lean-client.ts";
import { CLOCK_SKEW_MS_MAX, clockIsOff, isSoundClock } from "../../dynamo/sound-clock.ts";
import { storeUnavailable } from "../../dynamo/store-trouble.ts";
import { LEDGER, tableName } from "../../dynamo/tables.ts";
import type { Log } from "../../log/log.ts";
import { annulRow, type EarlierSettings, findEarlierRow } from "../retries/earlier-row.dynamo.ts";
import { ledgerAddress, type ShardSchedule, type UsageRow } from "../row.ts";
import { createGroupWriter, type GroupWriter } from "./group-writer.ts";
import type { Ledger, ReservedRow } from "./ledger.ts";
import { reserveRow } from "./reserved-row.dynamo.ts";
import { type Address, settledItem, voidMarker } from "./wire-row.ts";

/** No request waits so long for its row, and no minute is sealed so early. */
const AGE_MS_MAX = 10 * 60_000;
/** How long a void marker is repeated before it is given up, loudly: as long as it still counts, since its bucket is read for the last time a day after its hour. */
const MARKER_TIMEOUT_MS = 23 * 3_600_000;
const ANNUL_TIMEOUT_MS = 10_000;
const CALL_TIMEOUT_MS = 3_000;
/** Rows that may wait; void markers are few and always find room. */
const WAITING_MAX = 20_000;

export type LedgerSettings = {
  readonly lean: LeanDynamo;
  readonly tablePrefix: string;
  readonly schedule: ShardSchedule;
  readonly clock: Clock;
  readonly log: Log;
};

export function createLedger(settings: LedgerSettings): Ledger {
  const writer = createGroupWriter({
    clock: settings.clock,
    write: (items) => writeBatch(settings, items),
  });
  const busy = new Set<Promise<unknown>>();
  return {
    assertSoundClock: () => assertSoundClock(settings.lean),
    settle: (row, timeoutMs) => settle(settings, writer, { row, timeoutMs }),
    async reserve(reservation, timeoutMs) {
      assertSoundClock(settings.lean);
      const address = ledgerAddress(reservation, settings.schedule);
      const rows = { ...settings, markVoid: (voided: Address) => markVoid(settings, writer, voided) };
      const row = tracked(busy, await reserveRow(rows, { address, reservation, timeoutMs }));
      if (isSoundAddress(settings, reservation.requestId)) return row;
      void row.void();
      throw clockIsOff(settings.lean);
    },
    findEarlier: (request) => findEarlierRow(earlierOf(settings, writer), ledgerAddress(request, settings.schedule)),
    annul(request, row) {
      const atMs = settings.clock.nowMs();
      const address = ledgerAddress(request, settings.schedule);
      return annulRow(earlierOf(settings, writer), { address, row, atMs, ageMs: atMs - acceptedAtMsOf(request.requestId) });
    },
    async drain() {
      await nextTurn(); // what ends with its connection has begun to settle then
      while (busy.size > 0) await Promise.allSettled(busy);
      await writer.drain();
    },
  };
}

/** The same row, whose steps a drain waits for: a stream that a deployment ends is billed to the token, not by its checkpoint. */
function tracked(busy: Set<Promise<unknown>>, row: ReservedRow): ReservedRow {
  const track = <Answer>(step: Promise<Answer>) => {
    busy.add(step);
    const done = () => busy.delete(step);
    step.then(done, done);
    return step;
  };
  return {
    checkpoint: (progress, timeoutMs) => track(row.checkpoint(progress, timeoutMs)),
    settle: (settled, timeoutMs) => track(row.settle(settled, timeoutMs)),
    void: () => track(row.void()),
    release: () => track(row.release()),
  };
}

/** Whoever takes a request over waits for the marker: without it the request might be billed twice. */
function earlierOf({ lean, tablePrefix, clock }: LedgerSettings, writer: GroupWriter): EarlierSettings {
  return {
    ...{ lean, tablePrefix },
    async markVoid(address) {
      const marked = await writer.write(voidMarker(address, clock.nowMs()), ANNUL_TIMEOUT_MS);
      if (marked !== "written") throw storeUnavailable(new Error("a void marker was not acknowledged"));
    },
  };
}

async function settle(settings: LedgerSettings, writer: GroupWriter, { row, timeoutMs }: { row: UsageRow; timeoutMs: number }) {
  assertSoundClock(settings.lean);
  if (writer.waitingCount() >= WAITING_MAX) {
    throw new Failure("overloaded", "Too many requests wait for the ledger. Try again.", { retryAfterMs: 1_000 });
  }
  const address = ledgerAddress(row, settings.schedule);
  const item = settledItem(address, { ...row, acceptedAtMs: acceptedAtMsOf(row.requestId) });
  const outcome = await writer.write(item, timeoutMs);
  if (outcome === "written") {
    if (isSoundAddress(settings, row.requestId)) return;
    void markVoid(settings, writer, address);
    throw clockIsOff(settings.lean);
  }
  // A row that may be there although nobody acknowledged it is voided, so that a caller without an answer is not billed.
  if (outcome === "unknown") void markVoid(settings, writer, address);
  throw storeUnavailable(new Error(`the usage row was not acknowledged within ${timeoutMs} ms`));
}

async function markVoid(settings: LedgerSettings, writer: GroupWriter, address: Address) {
  const marked = await writer.write(voidMarker(address, settings.clock.nowMs()), MARKER_TIMEOUT_MS);
  if (marked !== "written") settings.log("error", "a void marker could not be written", address);
}

/** One BatchWriteItem; answers what the store left unprocessed. Puts of settled rows may be repeated: they are the same each time. */
async function writeBatch(settings: LedgerSettings, items: readonly WireItem[]): Promise<readonly WireItem[]> {
  const table = tableName(settings.tablePrefix, LEDGER);
  const RequestItems = { [table]: items.map((Item) => ({ PutRequest: { Item } })) };
  type Answer = { UnprocessedItems?: Record<string, { PutRequest: { Item: WireItem } }[]> };
  const answer = await settings.lean.call<Answer>("BatchWriteItem", { RequestItems }, CALL_TIMEOUT_MS);
  return (answer.UnprocessedItems?.[table] ?? []).map((each) => each.PutRequest.Item);
}

function assertSoundClock(lean: LeanDynamo) {
  if (!isSoundClock(lean)) throw clockIsOff(lean);
}

/**
 * Whether a row lies where the store's time says that it belongs; one that lies hours off may be sealed by nobody. Asked when the store has answered,
 * since a clock that has jumped looks right until then, and of the request's own time, since the clock may have been set right again after it.
 */
function isSoundAddress({ lean, clock }: LedgerSettings, requestId: string): boolean {
  const ageMs = clock.nowMs() - lean.clockSkewMs() - acceptedAtMsOf(requestId);
  return isSoundClock(lean) && ageMs >= -CLOCK_SKEW_MS_MAX && ageMs <= AGE_MS_MAX;
}
