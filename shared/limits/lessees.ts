import type { WireItem, WireValue } from "../dynamo/lean-client.ts";

/** Processes are counted over this window and the one before. */
const LESSEE_WINDOW_US = 10_000_000;

/** Who leased of late stands in a policy's item as string sets `w<window modulo 3>` of `<window>:<process>`; two of them are kept. */
export function lesseeUpdate(lessee: string, nowUs: number): { readonly add: string; readonly names: object; readonly me: WireValue } {
  const window = windowOf(nowUs);
  const names = { ...lesseeNames(nowUs), "#old": `w${(window + 1) % 3}` };
  return { add: "ADD #window :me REMOVE #old", names, me: { SS: [`${window}:${lessee}`] } };
}

export function lesseeNames(nowUs: number) {
  return { "#window": `w${windowOf(nowUs) % 3}` };
}

/** How many processes leased of late; the one that asks counts, even if it did not. */
export function lesseesOf(item: WireItem, nowUs: number): number {
  const window = windowOf(nowUs);
  const recent = [...namesOf(item, window), ...namesOf(item, window - 1)];
  return Math.max(1, new Set(recent.map((name) => name.slice(name.indexOf(":")))).size);
}

/** A policy that rested for a window finds the set that it writes to still full of names from three windows ago, which do not count. */
export function staleLessees(item: WireItem, nowUs: number): string[] {
  const window = windowOf(nowUs);
  return setOf(item, window).filter((name) => !name.startsWith(`${window}:`));
}

function namesOf(item: WireItem, window: number): string[] {
  return setOf(item, window).filter((name) => name.startsWith(`${window}:`));
}

/** The set where a window's names are, among others of long ago. */
function setOf(item: WireItem, window: number): readonly string[] {
  const set = item[`w${window % 3}`];
  return set !== undefined && "SS" in set ? set.SS : [];
}

function windowOf(nowUs: number): number {
  return Math.floor(nowUs / LESSEE_WINDOW_US);
}
