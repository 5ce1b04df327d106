import type { ByteTree } from "./byte-tree.ts";
import type { NumberRange } from "./number-range.ts";

/** Open arrays and objects within one another. It bounds the memory of an answer in progress, and what its reader must bear. */
export const LEVELS_MAX = 64;

/** A place for a value: one of these shapes. Recursive schemas make circles of positions. */
export type Position = {
  readonly shapes: readonly Shape[];
  /** How many levels of arrays and objects its shortest value opens; beyond `LEVELS_MAX` no value is finite, or none fits. */
  readonly levels: number;
};

export type Shape = LiteralShape | StringShape | NumberShape | ArrayShape | ObjectShape;

export type LiteralShape = { readonly kind: "literal"; readonly id: number; readonly levels: number; readonly tree: ByteTree };
export type StringShape = {
  readonly kind: "string";
  readonly id: number;
  readonly levels: number;
  readonly lengthMin: number;
  readonly lengthMax: number;
};
export type NumberShape = { readonly kind: "number"; readonly id: number; readonly levels: number; readonly range: NumberRange };
export type ArrayShape = {
  readonly kind: "array";
  readonly id: number;
  readonly levels: number;
  readonly items: Position;
  readonly itemsMin: number;
  readonly itemsMax: number;
};
export type ObjectShape = {
  readonly kind: "object";
  readonly id: number;
  readonly levels: number;
  /** In the order in which they are written. */
  readonly properties: readonly Property[];
  /** Of properties that are not declared, which follow the declared ones. */
  readonly additional: Position | undefined;
  /** The declared names, spelled plainly and with their closing quote: no other property may be called so. */
  readonly taken: ByteTree;
  /** Characters of a name that is not declared; more than any declared name has, so that each can end. */
  readonly nameLengthMax: number;
  /** The declared names as they are written, from after the opening quote to the colon, by the property's index. */
  readonly names: ByteTree;
  /** From property i on, names before `nextEnds[i]` may come next: one may be left out, unless it is required. */
  readonly nextEnds: readonly number[];
  /** No property from this index on is required. */
  readonly requiredEnd: number;
};

export type Property = { readonly name: string; readonly position: Position; readonly isRequired: boolean };
