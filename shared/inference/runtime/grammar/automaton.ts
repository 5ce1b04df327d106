import { BETWEEN, beginsCharacter, CLOSED, INVALID, NEXT_BY_SPELLING } from "./characters.ts";
import { type Move, moveArray, moveObject } from "./containers.ts";
import type { Frame, LiteralFrame, NumberFrame, StringFrame } from "./frame.ts";
import { GAP_START } from "./gap.ts";
import { isNumber, mayBecomeNumber } from "./number-range.ts";
import { LEVELS_MAX, type Position, type Shape } from "./shape.ts";

/**
 * A pushdown automaton over bytes. From every frame some answer can be finished, so that what it allows never leads into a dead end: values that
 * would need more levels than are left are not begun, and names whose values would are not offered.
 */

const QUOTE = 0x22;
const OPEN_ARRAY = 0x5b;
const OPEN_OBJECT = 0x7b;

/** How an answer begins with this byte. */
export function beginAnswer(position: Position, byte: number, into: Frame[]): void {
  begin(position, byte, { kind: "root", levels: LEVELS_MAX }, into);
}

/** Adds the frames that the byte leads to: none, or several where shapes have a beginning in common. */
export function step(frame: Frame, byte: number, into: Frame[]): void {
  switch (frame.kind) {
    case "root":
      return;
    case "literal":
      stepLiteral(frame, byte, into);
      return;
    case "string":
      stepString(frame, byte, into);
      return;
    case "number":
      stepNumber(frame, byte, into);
      return;
    case "array":
      act(moveArray(frame, byte), byte, frame.parent, into);
      return;
    case "object":
      act(moveObject(frame, byte), byte, frame.parent, into);
      return;
  }
}

/** Whether the answer may end here. */
export function isWhole(frame: Frame): boolean {
  if (frame.kind === "root") return true;
  if (frame.kind === "number") return frame.parent.kind === "root" && isNumber(frame.shape.range, frame.text);
  return frame.kind === "literal" && frame.parent.kind === "root" && frame.tree.end !== undefined;
}

function act(move: Move | undefined, byte: number, parent: Frame, into: Frame[]): void {
  if (move === undefined) return;
  if (move.kind === "go") into.push(move.frame);
  else if (move.kind === "end") into.push(parent);
  else begin(move.position, byte, move.frame, into);
}

function begin(position: Position, byte: number, parent: Frame & { readonly levels: number }, into: Frame[]): void {
  for (const shape of position.shapes) if (shape.levels <= parent.levels) beginShape(shape, byte, parent, into);
}

function beginShape(shape: Shape, byte: number, parent: Frame & { readonly levels: number }, into: Frame[]): void {
  const levels = parent.levels - 1;
  switch (shape.kind) {
    case "literal":
      stepLiteral({ kind: "literal", shape: shape.id, tree: shape.tree, parent }, byte, into);
      return;
    case "number":
      stepNumber({ kind: "number", shape, text: "", parent }, byte, into);
      return;
    case "string":
      if (byte === QUOTE) into.push({ kind: "string", shape, state: BETWEEN, length: 0, parent });
      return;
    case "array":
      if (byte === OPEN_ARRAY) into.push({ kind: "array", shape, phase: "open", gap: GAP_START, count: 0, levels, parent });
      return;
    case "object":
      if (byte === OPEN_OBJECT) into.push({ kind: "object", shape, phase: "open", gap: GAP_START, index: 0, levels, parent });
      return;
  }
}

/** One text may begin with another, as 12 does with 1: then it stays open whether it has ended until something follows. */
function stepLiteral(frame: LiteralFrame, byte: number, into: Frame[]): void {
  const next = frame.tree.next.get(byte);
  if (next !== undefined) into.push(next.next.size === 0 ? frame.parent : { ...frame, tree: next });
  if (frame.tree.end !== undefined) step(frame.parent, byte, into);
}

function stepString(frame: StringFrame, byte: number, into: Frame[]): void {
  const { shape, length } = frame;
  const state = NEXT_BY_SPELLING.text[frame.state * 256 + byte] ?? INVALID;
  if (state === INVALID) return;
  if (state === CLOSED) {
    if (length >= shape.lengthMin) into.push(frame.parent);
    return;
  }
  if (!beginsCharacter(frame.state)) into.push({ ...frame, state });
  else if (length < shape.lengthMax) into.push({ ...frame, state, length: length + 1 });
}

function stepNumber(frame: NumberFrame, byte: number, into: Frame[]): void {
  const { range } = frame.shape;
  const text = frame.text + String.fromCharCode(byte);
  if (mayBecomeNumber(range, text)) into.push({ ...frame, text });
  else if (isNumber(range, frame.text)) step(frame.parent, byte, into);
}
