import type { ByteTree } from "./byte-tree.ts";
import { BETWEEN, beginsCharacter, CLOSED, INVALID, NEXT_BY_SPELLING } from "./characters.ts";
import type { ArrayFrame, Name, ObjectFrame } from "./frame.ts";
import { GAP_START, widenGap } from "./gap.ts";
import type { ObjectShape, Position } from "./shape.ts";

/** What a byte means to an array or object in progress: it goes on, ends, or the byte begins a value, after which it goes on as `frame` says. */
export type Move =
  | { readonly kind: "go"; readonly frame: ArrayFrame | ObjectFrame }
  | { readonly kind: "end" }
  | { readonly kind: "value"; readonly position: Position; readonly frame: ArrayFrame | ObjectFrame };

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const CLOSE_ARRAY = 0x5d;
const CLOSE_OBJECT = 0x7d;

const END: Move = { kind: "end" };

export function moveArray(frame: ArrayFrame, byte: number): Move | undefined {
  const { shape, phase, count, levels } = frame;
  const maySomeFollow = count < shape.itemsMax && shape.items.levels <= levels;
  const mayClose = count >= shape.itemsMin && phase !== "after-comma";
  const gap = widenGap(frame.gap, byte);
  if (gap !== undefined) {
    if (phase === "after-item") return mayClose ? { kind: "go", frame: { ...frame, phase: "closing", gap } } : undefined;
    return { kind: "go", frame: { ...frame, gap } };
  }
  if (byte === CLOSE_ARRAY) return mayClose ? END : undefined;
  if (phase === "closing") return undefined;
  if (phase === "after-item") {
    return byte === COMMA && maySomeFollow ? { kind: "go", frame: { ...frame, phase: "after-comma", gap: GAP_START } } : undefined;
  }
  if (!maySomeFollow) return undefined;
  // Without an upper bound, nobody asks how many there are beyond the lower one: such frames are the same.
  const next = shape.itemsMax === Number.POSITIVE_INFINITY ? Math.min(count + 1, shape.itemsMin) : count + 1;
  return { kind: "value", position: shape.items, frame: { ...frame, phase: "after-item", gap: GAP_START, count: next } };
}

export function moveObject(frame: ObjectFrame, byte: number): Move | undefined {
  const { phase } = frame;
  if (phase === "name") return moveName(frame, byte);
  if (phase === "before-colon")
    return byte === COLON ? { kind: "go", frame: { ...frame, phase: "after-colon", gap: GAP_START } } : undefined;
  const mayClose = phase !== "after-comma" && phase !== "after-colon" && frame.index >= frame.shape.requiredEnd;
  const gap = widenGap(frame.gap, byte);
  if (gap !== undefined) {
    if (phase === "after-value") return mayClose ? { kind: "go", frame: { ...frame, phase: "closing", gap } } : undefined;
    return { kind: "go", frame: { ...frame, gap } };
  }
  if (phase === "after-colon") {
    const { value, ...rest } = frame;
    return value && { kind: "value", position: value, frame: { ...rest, phase: "after-value", gap: GAP_START } };
  }
  if (byte === CLOSE_OBJECT) return mayClose ? END : undefined;
  if (phase === "closing") return undefined;
  const name = nameAfter(frame);
  if (name === undefined) return undefined;
  if (phase === "after-value")
    return byte === COMMA ? { kind: "go", frame: { ...frame, phase: "after-comma", gap: GAP_START } } : undefined;
  return byte === QUOTE ? { kind: "go", frame: { ...frame, phase: "name", gap: GAP_START, name } } : undefined;
}

/** A declared name ends with its colon; another with its quote, unless it is the same as a declared one. */
function moveName(frame: ObjectFrame, byte: number): Move | undefined {
  const { shape, name } = frame;
  const reached = name?.declared?.next.get(byte);
  const declared = reached !== undefined && mayDeclare(frame, reached) ? reached : undefined;
  if (declared?.end !== undefined) return endName(frame, "after-colon", declared.end);
  const other = widenOther(shape, name?.other, byte);
  if (other === "closed") return endName(frame, "before-colon", shape.properties.length);
  return declared === undefined && other === undefined ? undefined : { kind: "go", frame: { ...frame, name: { declared, other } } };
}

function endName({ name: _, ...frame }: ObjectFrame, phase: "after-colon" | "before-colon", index: number): Move | undefined {
  const value = frame.shape.properties[index]?.position ?? frame.shape.additional;
  return value && { kind: "go", frame: { ...frame, phase, index: Math.min(index + 1, frame.shape.properties.length), value } };
}

function widenOther(shape: ObjectShape, other: Name["other"], byte: number): Name["other"] | "closed" {
  if (other === undefined) return undefined;
  const state = NEXT_BY_SPELLING.name[other.state * 256 + byte] ?? INVALID;
  if (state === INVALID) return undefined;
  const taken = other.taken?.next.get(byte);
  if (state === CLOSED) return taken?.end === undefined ? "closed" : undefined;
  const length = other.length + (beginsCharacter(other.state) ? 1 : 0);
  return length > shape.nameLengthMax ? undefined : { state, length, taken };
}

/** The names that may come now, if any: optional ones up to the next required one, and others once none is required any more. */
function nameAfter(frame: ObjectFrame): Name | undefined {
  const { shape, index, levels } = frame;
  const mayBeOther = index >= shape.requiredEnd && shape.additional !== undefined && shape.additional.levels <= levels;
  const declared = mayDeclare(frame, shape.names) ? shape.names : undefined;
  if (declared === undefined && !mayBeOther) return undefined;
  return { declared, other: mayBeOther ? { state: BETWEEN, length: 0, taken: shape.taken } : undefined };
}

/** Whether a name of this part of the tree may come next, and its value still has the levels that it needs. */
function mayDeclare({ shape, index, levels }: ObjectFrame, { ends }: ByteTree): boolean {
  const end = shape.nextEnds[index] ?? index;
  for (let at = firstFrom(ends, index); at < ends.length; at++) {
    const property = ends[at] ?? end;
    if (property >= end) return false;
    if ((shape.properties[property]?.position.levels ?? 0) <= levels) return true;
  }
  return false;
}

/** By halving: an object may have a thousand properties, and each byte of a name asks. */
function firstFrom(rising: readonly number[], least: number): number {
  let low = 0;
  let high = rising.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((rising[middle] ?? 0) < least) low = middle + 1;
    else high = middle;
  }
  return low;
}
