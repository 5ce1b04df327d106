import type { WireItem, WireValue } from "../dynamo/lean-client.ts";
import { latestEndMs, type SlotEntry, type Untidy } from "./slot-entries.ts";

/** What a conditional update says. */
export type SlotUpdate = {
  readonly UpdateExpression: string;
  readonly ConditionExpression: string;
  readonly ExpressionAttributeNames: Readonly<Record<string, string>>;
  readonly ExpressionAttributeValues: Readonly<Record<string, WireValue>>;
};

/** Of those that a process puts in order at a time. */
const TIDIED_MAX = 20;
/** Holders' attributes, beside the key and the total. */
const PREFIX = "h:";

export type Move = {
  readonly holder: string;
  readonly from: SlotEntry | undefined;
  /** Without slots the entry goes. */
  readonly to: SlotEntry;
  /** The slots that the limit must leave for it; absent: what is written is so, whether there is room or not. */
  readonly quota: number | undefined;
};

/**
 * A policy's item: `u`, how many slots are held, and for each holder an attribute `h:<holder>` of `<slots>:<end of life in milliseconds>:<turn>`. Every update
 * changes entries and the total together, so the total is their sum; and it names no entry but those that it replaces, so holders do not invalidate each other.
 */
export function moveUpdate({ holder, from, to, quota }: Move): SlotUpdate {
  const delta = to.slots - (from?.slots ?? 0);
  const set = `SET u = ${from === undefined ? "if_not_exists(u, :none) + :delta" : "u + :delta"}`;
  const room = quota === undefined ? {} : { ":most": numeral(quota - delta) };
  return {
    UpdateExpression: to.slots === 0 ? `${set} REMOVE #me` : `${set}, #me = :next`,
    ConditionExpression: from === undefined ? newWhen(quota) : `#me = :was${quota === undefined ? "" : " AND u <= :most"}`,
    ExpressionAttributeNames: { "#me": PREFIX + holder },
    ExpressionAttributeValues: {
      ":delta": numeral(delta),
      ...room,
      ...(from === undefined ? { ":none": numeral(0) } : { ":was": { S: textOf(from) } }),
      ...(to.slots === 0 ? {} : { ":next": { S: textOf(to) } }),
    },
  };
}

/** Without brackets, which the embedded engine's parser takes its time for: AND binds first, and where nothing is held nobody has an entry. */
function newWhen(quota: number | undefined): string {
  const isNew = "attribute_not_exists(#me)";
  return quota === undefined ? isNew : `attribute_not_exists(u) OR u <= :most AND ${isNew}`;
}

/** Takes entries out that have lapsed, and shortens those that end later than any may; undefined if there are none. Only while each of them stands as it was seen. */
export function tidyUpdate({ lapsed, beyond }: Untidy, nowMs: number): SlotUpdate | undefined {
  const gone = lapsed.slice(0, TIDIED_MAX);
  const cut = beyond.slice(0, TIDIED_MAX);
  if (gone.length + cut.length === 0) return undefined;
  const named = [...gone, ...cut].map((entry, place) => ({ entry, name: `#e${place}`, was: `:e${place}`, next: `:n${place}` }));
  const [removed, shortened] = [named.slice(0, gone.length), named.slice(gone.length)];
  const freed = gone.reduce((sum, { slots }) => sum + slots, 0);
  const sets = ["u = u - :freed", ...shortened.map(({ name, next }) => `${name} = ${next}`)].join(", ");
  return {
    UpdateExpression: `SET ${sets}${removed.length === 0 ? "" : ` REMOVE ${removed.map(({ name }) => name).join(", ")}`}`,
    ConditionExpression: named.map(({ name, was }) => `${name} = ${was}`).join(" AND "),
    ExpressionAttributeNames: Object.fromEntries(named.map(({ name, entry }) => [name, PREFIX + entry.holder])),
    ExpressionAttributeValues: {
      ":freed": numeral(freed),
      ...Object.fromEntries(named.map(({ was, entry }) => [was, { S: textOf(entry) }])),
      ...Object.fromEntries(shortened.map(({ next, entry }) => [next, { S: textOf({ ...entry, endsAtMs: latestEndMs(nowMs) }) }])),
    },
  };
}

export function entriesOf(item: WireItem): SlotEntry[] {
  return Object.entries(item).flatMap(([name, value]) =>
    name.startsWith(PREFIX) && "S" in value ? [entryOf(name.slice(PREFIX.length), value.S)] : [],
  );
}

function entryOf(holder: string, text: string): SlotEntry {
  const [slots, endsAtMs, turn] = text.split(":");
  return { holder, slots: Number(slots), endsAtMs: Number(endsAtMs), turn: Number(turn) };
}

function textOf({ slots, endsAtMs, turn }: SlotEntry): string {
  return `${slots}:${endsAtMs}:${turn}`;
}

function numeral(value: number): WireValue {
  return { N: String(value) };
}
