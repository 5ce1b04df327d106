import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../../base/clock.ts";
import { acceptedAtMsOf } from "../../base/id.ts";
import { DynamoRefusal, type LeanDynamo, type WireItem } from "../../dynamo/lean-client.ts";
import { storeUnavailable } from "../../dynamo/store-trouble.ts";
import { LEDGER, tableName } from "../../dynamo/tables.ts";
import type { Reservation, ReservedRow } from "./ledger.ts";
import { type Address, checkpointValues, pendingItem, settledValues } from "./wire-row.ts";

const CALL_TIMEOUT_MS = 3_000;
const BACK_OFF_MS = { first: 25, most: 500 };
/** How long giving a row up is tried; after that it expires by itself. */
const VOID_TIMEOUT_MS = 30_000;

export type RowSettings = {
  readonly lean: LeanDynamo;
  readonly tablePrefix: string;
  readonly clock: Clock;
  /** Puts a void marker beside a row that was settled although nobody was answered. */
  readonly markVoid: (address: Address) => Promise<void>;
};

/** The row as a step finds it when its condition fails. */
type Found = { readonly state: string | undefined; readonly epoch: number; readonly checkpointed: number };
type Step = {
  readonly operation: "PutItem" | "UpdateItem";
  readonly input: object;
  /** Whether what was found means that an earlier attempt of this very step went through and only its acknowledgement was lost. */
  readonly isDone: (found: Found) => boolean;
};

/** Puts a pending row at its address; resolves to the handle of this epoch. */
export async function reserveRow(
  settings: RowSettings,
  { address, reservation, timeoutMs }: { address: Address; reservation: Reservation; timeoutMs: number },
): Promise<ReservedRow> {
  const { epoch } = reservation;
  const row: OwnRow = { settings, address, epoch };
  const acceptedAtMs = acceptedAtMsOf(reservation.requestId);
  const expiresAtMs = settings.clock.nowMs() + reservation.expiresInMs;
  const put: Step = {
    operation: "PutItem",
    input: { Item: pendingItem(address, { ...reservation, acceptedAtMs, expiresAtMs }), ConditionExpression: "attribute_not_exists(pk)" },
    isDone: (found) => found.state === "P" && found.epoch === epoch,
  };
  try {
    await take(row, put, timeoutMs);
  } catch (cause) {
    void giveUp(row); // it may be there although nobody acknowledged it
    throw cause;
  }
  return handleOf(row);
}

type OwnRow = { readonly settings: RowSettings; readonly address: Address; readonly epoch: number };

function handleOf(row: OwnRow): ReservedRow {
  const { clock } = row.settings;
  return {
    checkpoint(progress, timeoutMs) {
      const values = checkpointValues(progress, clock.nowMs() + progress.expiresInMs);
      const isDone = ({ state, epoch, checkpointed }: Found) =>
        state === "P" && epoch === row.epoch && checkpointed >= progress.outputTokens;
      return take(row, update(row, { values, condition: "pg <= :pg", isDone }), timeoutMs);
    },
    settle(settled, timeoutMs) {
      const isDone = ({ state, epoch }: Found) => state === "S" && epoch === row.epoch;
      return take(row, update(row, { values: settledValues(settled), condition: undefined, isDone }), timeoutMs);
    },
    void: () => giveUp(row),
    // What cannot be written expires.
    release: () =>
      withdraw(row).then(
        () => true,
        () => false,
      ),
  };
}

type Change = { readonly values: WireItem; readonly condition: string | undefined; readonly isDone: Step["isDone"] };

/** Each name stands for itself, since many are words that DynamoDB reserves. */
function update({ epoch }: OwnRow, { values, condition, isDone }: Change): Step {
  const names = Object.keys(values);
  return {
    operation: "UpdateItem",
    isDone,
    input: {
      UpdateExpression: `SET ${names.map((name) => `#${name} = :${name}`).join(", ")}`,
      ConditionExpression: ["#st = :pending AND #e = :epoch", condition].filter((each) => each !== undefined).join(" AND "),
      ExpressionAttributeNames: Object.fromEntries([...new Set([...names, "st", "e"])].map((name) => [`#${name}`, name])),
      ExpressionAttributeValues: {
        ":pending": { S: "P" },
        ":epoch": { N: `${epoch}` },
        ...Object.fromEntries(Object.entries(values).map(([name, value]) => [`:${name}`, value])),
      },
    },
  };
}

/** Repeats a conditional step until the store has said what became of it; fails with `unavailable` when the time is over or the row is another's. */
async function take(row: OwnRow, step: Step, timeoutMs: number): Promise<void> {
  const { lean, clock } = row.settings;
  const deadlineMs = clock.nowMs() + timeoutMs;
  for (let failures = 0; ; failures += 1) {
    try {
      await lean.call(step.operation, { ...targetOf(row, step.operation), ...step.input }, CALL_TIMEOUT_MS);
      return;
    } catch (cause) {
      const found = cause instanceof DynamoRefusal && cause.isConditionFailed ? await find(row) : undefined;
      if (found !== undefined && step.isDone(found)) return;
      if (found !== undefined) throw lost(found);
      if (isOurMistake(cause)) throw cause;
      if (clock.nowMs() >= deadlineMs) throw storeUnavailable(cause);
    }
    await sleep(backOffMs(failures));
  }
}

function targetOf({ settings, address }: OwnRow, operation: Step["operation"]) {
  const TableName = tableName(settings.tablePrefix, LEDGER);
  return operation === "PutItem" ? { TableName } : { TableName, Key: keyOf(address) };
}

/** The row as it is now; undefined while the store does not say. */
async function find({ settings, address }: OwnRow): Promise<Found | undefined> {
  const input = { TableName: tableName(settings.tablePrefix, LEDGER), Key: keyOf(address), ConsistentRead: true };
  const answer = await settings.lean.call<{ Item?: WireItem }>("GetItem", input, CALL_TIMEOUT_MS).catch(() => undefined);
  if (answer === undefined) return undefined;
  const { st, e, pg } = answer.Item ?? {};
  return { state: st && "S" in st ? st.S : undefined, epoch: countOf(e), checkpointed: countOf(pg) };
}

/**
 * Pending rows become void; one that has been settled by this epoch gets a marker, and so does one of which nothing can be learned:
 * a marker beside a row that is not billed changes nothing, but a settled row without one would bill for what nobody got. Another's row is left alone.
 */
async function giveUp(row: OwnRow): Promise<boolean> {
  const { settings, address, epoch } = row;
  try {
    await withdraw(row);
    return true;
  } catch {
    const found = await find(row);
    const isSettledByUs = found === undefined || (found.state === "S" && found.epoch === epoch);
    if (isSettledByUs) await settings.markVoid(address);
    return isSettledByUs || found?.state === "X";
  }
}

/** Pending rows become void; others are left alone, and it fails. */
function withdraw(row: OwnRow): Promise<void> {
  const isDone = ({ state, epoch }: Found) => state === "X" && epoch === row.epoch;
  return take(row, update(row, { values: { st: { S: "X" } }, condition: undefined, isDone }), VOID_TIMEOUT_MS);
}

function lost({ state, epoch }: Found) {
  return storeUnavailable(new Error(`the usage row is another's by now: state ${state ?? "absent"}, epoch ${epoch}`));
}

function keyOf({ pk, sk }: Address): WireItem {
  return { pk: { S: pk }, sk: { S: sk } };
}

function countOf(value: WireItem[string] | undefined): number {
  return value !== undefined && "N" in value ? Number(value.N) : 0;
}

function isOurMistake(cause: unknown): boolean {
  return cause instanceof DynamoRefusal && cause.name === "ValidationException";
}

function backOffMs(failures: number): number {
  const mostMs = Math.min(BACK_OFF_MS.most, BACK_OFF_MS.first * 2 ** Math.min(failures, 10));
  return mostMs / 2 + (mostMs / 2) * Math.random();
}
