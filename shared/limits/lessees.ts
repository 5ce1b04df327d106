import { crc32 } from "node:zlib";
import type { WireItem, WireValue } from "../dynamo/lean-client.ts";

/** Processes are counted over this window and the one before. */
const LESSEE_WINDOW_US = 10_000_000;
const BASE = 36;
/** A window's two letters come again after three and a half hours. */
const WINDOWS = BASE ** 2;
/** A process is known by a number of 15 bits, in three letters: two of them may share one, and count as one. */
const TAGS = 2 ** 15;
/** Of more than so many processes only a part is written down: every KB of an item costs each of its writes as much again. */
const WRITTEN_MAX = 32;
const LEVEL_MAX = 9;
const TEXT = /^([0-9a-z]{2})(\d)([0-9a-z]{3})$/;

type Lessee = { readonly text: string; readonly level: number; readonly tag: number };

/**
 * Who leased of late stands in a policy's item as string sets `w<window modulo 3>` of `<window><level><process>`; two of them are kept. At level n only those write
 * themselves down whose number 2ⁿ divides, so each stands for 2ⁿ processes. `others` is how many are known of.
 */
export function lesseeUpdate(lessee: string, { nowUs, others }: { readonly nowUs: number; readonly others: number }) {
  const window = windowOf(nowUs);
  const old = { "#old": `w${(window + 1) % 3}` };
  const level = Math.min(LEVEL_MAX, Math.max(0, Math.ceil(Math.log2(others / WRITTEN_MAX))));
  const tag = crc32(lessee) % TAGS;
  if (!isOf(level, tag)) return { add: "REMOVE #old", names: old, values: {} };
  const me: WireValue = { SS: [`${nameOf(window)}${level}${textOf(tag, 3)}`] };
  return { add: "ADD #window :me REMOVE #old", names: { ...lesseeNames(nowUs), ...old }, values: { ":me": me } };
}

export function lesseeNames(nowUs: number) {
  return { "#window": `w${windowOf(nowUs) % 3}` };
}

/** How many processes leased of late, about, if they are more than 32; the one that asks counts, even if it did not. */
export function lesseesOf(item: WireItem, nowUs: number): number {
  const recent = recentOf(item, nowUs);
  const level = levelOf(recent);
  return Math.max(1, 2 ** level * new Set(recent.map(({ tag }) => tag).filter((tag) => isOf(level, tag))).size);
}

/** What does not count: names from three windows ago, where a policy rested for so long, and those of a level at which fewer are written down by now. */
export function staleLessees(item: WireItem, nowUs: number): string[] {
  const window = windowOf(nowUs);
  const level = levelOf(recentOf(item, nowUs));
  const counted = new Set(lesseesIn(item, window).flatMap(({ text, tag }) => (isOf(level, tag) ? [text] : [])));
  return setOf(item, window).filter((text) => !counted.has(text));
}

function recentOf(item: WireItem, nowUs: number): Lessee[] {
  const window = windowOf(nowUs);
  return [...lesseesIn(item, window), ...lesseesIn(item, window - 1)];
}

function lesseesIn(item: WireItem, window: number): Lessee[] {
  return setOf(item, window).flatMap((text) => {
    const [, name, level, tag = ""] = TEXT.exec(text) ?? [];
    return name === nameOf(window) ? [{ text, level: Number(level), tag: Number.parseInt(tag, BASE) }] : [];
  });
}

function levelOf(lessees: readonly Lessee[]): number {
  return Math.max(0, ...lessees.map(({ level }) => level));
}

function isOf(level: number, tag: number): boolean {
  return tag % 2 ** level === 0;
}

/** The set where a window's names are, among others of long ago. */
function setOf(item: WireItem, window: number): readonly string[] {
  const set = item[`w${window % 3}`];
  return set !== undefined && "SS" in set ? (set.SS ?? []) : [];
}

function windowOf(nowUs: number): number {
  return Math.floor(nowUs / LESSEE_WINDOW_US);
}

function nameOf(window: number): string {
  return textOf(window % WINDOWS, 2);
}

function textOf(value: number, length: number): string {
  return value.toString(BASE).padStart(length, "0");
}
