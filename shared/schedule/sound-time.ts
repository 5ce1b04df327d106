import type { LeanDynamo } from "../dynamo/lean-client.ts";
import { clockIsOff, isSoundClock } from "../dynamo/sound-clock.ts";
import { CONTROL, tableName } from "../dynamo/tables.ts";
import type { Log } from "../log/log.ts";
import { assertNotSetBack, type Round, type RoundCall } from "./round.ts";

const ASK_TIMEOUT_MS = 3_000;
/** No item has it: the answer's date is what is asked for. */
const NOBODYS_KEY = "clock";

/** What the log says of a round that is refused by its time; the cloud counts it by this text. */
export const REFUSED_BY_CLOCK = "a round waits until this clock is right";

export type TimeKeeper = { readonly lean: Pick<LeanDynamo, "clockSkewMs">; readonly log: Log };

/** Fails, and says so in the log, unless a round's time is right by the store's latest answer, which came after the round had begun. */
export function assertSoundTime({ lean, log }: TimeKeeper, call: RoundCall): void {
  try {
    if (!isSoundClock(lean)) throw clockIsOff(lean);
    assertNotSetBack(call);
  } catch (error) {
    log("error", REFUSED_BY_CLOCK, { clockSkewMs: lean.clockSkewMs(), error });
    throw error;
  }
}

export type StoreTime = TimeKeeper & { readonly lean: Pick<LeanDynamo, "call" | "clockSkewMs">; readonly tablePrefix: string };

/**
 * A round that cannot take back what it does by its time, such as deleting, dating a document or giving up a delivery. It asks the store first, whose
 * answer has a date: by a clock that is off, or was when the round began, nothing is done.
 */
export function bySoundTime(round: Round, store: StoreTime): Round {
  return async (call) => {
    await askStore(store);
    assertSoundTime(store, call);
    return round(call);
  };
}

async function askStore({ lean, tablePrefix }: StoreTime): Promise<void> {
  const input = {
    TableName: tableName(tablePrefix, CONTROL),
    KeyConditionExpression: "pk = :pk",
    ExpressionAttributeValues: { ":pk": { S: NOBODYS_KEY } },
    Limit: 1,
  };
  await lean.call("Query", input, ASK_TIMEOUT_MS);
}
