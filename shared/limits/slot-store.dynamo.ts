import { DynamoRefusal, type LeanDynamo, type WireItem, withLeanStore } from "../dynamo/lean-client.ts";
import { clockIsOff, isSoundClock } from "../dynamo/sound-clock.ts";
import { storeUnavailable } from "../dynamo/store-trouble.ts";
import { LIMITS, tableName } from "../dynamo/tables.ts";
import type { SlotPolicy } from "./policy.ts";
import { freeSlots, type Holding, type HoldRequest, holdSlots, type SlotEntry } from "./slot-entries.ts";
import type { SlotStore } from "./slots.ts";

const HOLD_TIMEOUT_MS = 2_000;
/** Against others who change the same item; each turn is a read and a write. */
const ATTEMPTS_MAX = 8;

export type SlotStoreSettings = {
  readonly lean: LeanDynamo;
  readonly tablePrefix: string;
  /** This process, among those that hold slots; without a colon. */
  readonly holder: string;
};
type Settings = SlotStoreSettings & { readonly table: string };
type Seen = { readonly version: number; readonly entries: readonly SlotEntry[] };

/** One item per policy: a version, and a string set `h` of `<holder>:<slots>:<end of life in milliseconds>`. Sums are not for conditions, so the item is read, decided upon and replaced. */
export function createSlotStore(given: SlotStoreSettings): SlotStore {
  const settings = { ...given, table: tableName(given.tablePrefix, LIMITS) };
  return {
    hold: (request) => withLeanStore(() => hold(settings, request)),
    free: (policy, nowMs) => withLeanStore(async () => freeSlots(policy, (await read(settings, policy)).entries, nowMs)),
  };
}

async function hold(settings: Settings, asked: Omit<HoldRequest, "holder">): Promise<Holding> {
  const { policy } = asked;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const seen = await read(settings, policy);
    const { entries, holding, isNew } = holdSlots(seen.entries, { ...asked, holder: settings.holder });
    if (!isNew || (await replace(settings, policy, { version: seen.version, entries }))) return holding;
  }
  throw storeUnavailable(new Error(`the slots of ${policy.itemKey} were changed by others ${ATTEMPTS_MAX} times`));
}

async function read({ lean, table }: Settings, { itemKey }: SlotPolicy): Promise<Seen> {
  const input = { TableName: table, Key: { pk: { S: itemKey } }, ConsistentRead: true };
  const { Item = {} } = await lean.call<{ Item?: WireItem }>("GetItem", input, HOLD_TIMEOUT_MS);
  // Nothing is written by a clock that is off: it would take others' slots for lapsed, and its own would never lapse for them.
  if (!isSoundClock(lean)) throw clockIsOff(lean);
  const [version, entries] = [Item["v"], Item["h"]];
  return {
    version: version !== undefined && "N" in version ? Number(version.N) : 0,
    entries: entries !== undefined && "SS" in entries ? entries.SS.map(entryOf) : [],
  };
}

/** False if somebody else was first. */
async function replace({ lean, table }: Settings, { itemKey }: SlotPolicy, { version, entries }: Seen): Promise<boolean> {
  const holders = entries.map(({ holder, slots, endsAtMs }) => `${holder}:${slots}:${endsAtMs}`);
  const input = {
    TableName: table,
    Item: { pk: { S: itemKey }, v: { N: String(version + 1) }, ...(holders.length === 0 ? {} : { h: { SS: holders } }) },
    ConditionExpression: version === 0 ? "attribute_not_exists(v)" : "v = :seen",
    ...(version === 0 ? {} : { ExpressionAttributeValues: { ":seen": { N: String(version) } } }),
  };
  try {
    await lean.call("PutItem", input, HOLD_TIMEOUT_MS);
    return true;
  } catch (cause) {
    if (cause instanceof DynamoRefusal && cause.isConditionFailed) return false;
    throw cause;
  }
}

function entryOf(text: string): SlotEntry {
  const [holder = "", slots, endsAtMs] = text.split(":");
  return { holder, slots: Number(slots), endsAtMs: Number(endsAtMs) };
}
