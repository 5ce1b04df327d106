import type { ByteTree } from "./byte-tree.ts";
import type { ArrayShape, NumberShape, ObjectShape, Position, StringShape } from "./shape.ts";

/**
 * Where an answer stands: a value in progress, upon the array or object that it is in, and so on down to the root. Frames never change, so that
 * alternatives share what lies below them. `levels` is how many arrays and objects may still be opened.
 */
export type Frame = RootFrame | LiteralFrame | StringFrame | NumberFrame | ArrayFrame | ObjectFrame;

/** The answer is whole. */
export type RootFrame = { readonly kind: "root"; readonly levels: number };
export type LiteralFrame = { readonly kind: "literal"; readonly shape: number; readonly tree: ByteTree; readonly parent: Frame };
export type StringFrame = {
  readonly kind: "string";
  readonly shape: StringShape;
  /** Of characters.ts. */
  readonly state: number;
  readonly length: number;
  readonly parent: Frame;
};
export type NumberFrame = { readonly kind: "number"; readonly shape: NumberShape; readonly text: string; readonly parent: Frame };
export type ArrayFrame = {
  readonly kind: "array";
  readonly shape: ArrayShape;
  readonly phase: "open" | "after-item" | "after-comma" | "closing";
  /** Of white space; see gap.ts. */
  readonly gap: number;
  readonly count: number;
  readonly levels: number;
  readonly parent: Frame;
};
export type ObjectFrame = {
  readonly kind: "object";
  readonly shape: ObjectShape;
  readonly phase: "open" | "name" | "before-colon" | "after-colon" | "after-value" | "after-comma" | "closing";
  readonly gap: number;
  /** Properties before this one were written, or left out. */
  readonly index: number;
  readonly levels: number;
  readonly parent: Frame;
  /** While a name is written. */
  readonly name?: Name;
  /** Once it is. */
  readonly value?: Position;
};

/** A name in progress: a declared one that may follow, one that is not declared, or, as yet, both. */
export type Name = {
  readonly declared: ByteTree | undefined;
  readonly other: { readonly state: number; readonly length: number; readonly taken: ByteTree | undefined } | undefined;
};

/** Numbers frames so that two with the same number go on in the same way. */
export type FrameIds = (frame: Frame) => number;

/** Of frames that an answer remembers; forgetting them only makes it meet the same frame as another. */
const REMEMBERED_MAX = 20_000;

export function createFrameIds(): FrameIds {
  const known = new WeakMap<Frame, number>();
  const ids = new Map<string, number>();
  let count = 0;
  const idOf = (frame: Frame): number => {
    const earlier = known.get(frame);
    if (earlier !== undefined) return earlier;
    if (ids.size >= REMEMBERED_MAX) ids.clear();
    const key = frame.kind === "root" ? "root" : `${ownKeyOf(frame)}|${idOf(frame.parent)}`;
    const id = ids.get(key) ?? count++;
    ids.set(key, id);
    known.set(frame, id);
    return id;
  };
  return idOf;
}

function ownKeyOf(frame: Exclude<Frame, RootFrame>): string {
  switch (frame.kind) {
    case "literal":
      return `${frame.shape}:${frame.tree.id}`;
    case "string":
      return `${frame.shape.id}:${frame.state}:${frame.length}`;
    case "number":
      return `${frame.shape.id}:${frame.text}`;
    case "array":
      return `${frame.shape.id}:${frame.phase}:${frame.gap}:${frame.count}`;
    case "object":
      return `${frame.shape.id}:${frame.phase}:${frame.gap}:${frame.index}:${nameKeyOf(frame)}`;
  }
}

function nameKeyOf({ name, value, shape }: ObjectFrame): string {
  if (value !== undefined) return value === shape.additional ? "other" : "declared";
  if (name === undefined) return "";
  return `${name.declared?.id}:${name.other?.state}:${name.other?.length}:${name.other?.taken?.id}`;
}
