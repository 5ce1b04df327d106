/** A DynamoDB value in the wire's form, of the kinds that the product stores. */
export type Value =
  | { readonly S: string }
  | { readonly N: string }
  /** Bytes, in base64. */
  | { readonly B: string }
  | { readonly BOOL: boolean }
  | { readonly NULL: true }
  | { readonly SS: readonly string[] }
  | { readonly L: readonly Value[] }
  | { readonly M: Item };
export type Item = { readonly [name: string]: Value };

/** Names and places in lists, from an item's attribute downwards. */
export type Path = readonly (string | number)[];

const KINDS = new Set(["S", "N", "B", "BOOL", "NULL", "SS", "L", "M"]);

export function kindOf(value: Value): string {
  const kinds = Object.keys(value);
  const [kind = ""] = kinds;
  if (kinds.length !== 1 || !KINDS.has(kind)) throw new Error(`the fake store has no values of the form ${JSON.stringify(value)}`);
  return kind;
}

export function valueAt(item: Item, path: Path): Value | undefined {
  let at: Value | undefined = { M: item };
  for (const step of path) {
    if (at === undefined) return undefined;
    if (typeof step === "string") at = "M" in at ? at.M[step] : undefined;
    else at = "L" in at ? at.L[step] : undefined;
  }
  return at;
}

/** The item with one value put in, or taken out; undefined if there is no map or list on the way that could hold it. */
export function withValueAt(item: Item, path: Path, value: Value | undefined): Item | undefined {
  const changed = changedValue({ M: item }, path, value);
  return changed !== undefined && "M" in changed ? changed.M : undefined;
}

function changedValue(at: Value | undefined, path: Path, value: Value | undefined): Value | undefined {
  const [step, ...rest] = path;
  if (step === undefined) return value;
  if (at !== undefined && typeof step === "string" && "M" in at) {
    const { [step]: inner, ...others } = at.M;
    const changed = changedValue(inner, rest, value);
    if (changed === undefined) return rest.length === 0 && value === undefined ? { M: others } : undefined;
    return { M: { ...at.M, [step]: changed } };
  }
  if (at !== undefined && typeof step === "number" && "L" in at) {
    const changed = changedValue(at.L[step], rest, value);
    if (changed === undefined) return rest.length === 0 ? { L: at.L.filter((_, place) => place !== step) } : undefined;
    return { L: step < at.L.length ? at.L.map((each, place) => (place === step ? changed : each)) : [...at.L, changed] };
  }
  return undefined;
}

/** Negative, zero or positive as DynamoDB orders values of one kind; undefined for those of two kinds. Texts here are ASCII, whose order is that of their bytes. */
export function compareValues(a: Value, b: Value): number | undefined {
  if ("S" in a && "S" in b) return a.S < b.S ? -1 : Number(a.S > b.S);
  if ("N" in a && "N" in b) return Number(integerOf(a) - integerOf(b) < 0n ? -1 : integerOf(a) > integerOf(b));
  return undefined;
}

export function areEqual(a: Value, b: Value): boolean {
  if ("N" in a && "N" in b) return integerOf(a) === integerOf(b);
  if ("SS" in a && "SS" in b) return JSON.stringify([...a.SS].sort()) === JSON.stringify([...b.SS].sort());
  if ("M" in a && "M" in b) {
    const names = Object.keys(a.M);
    return names.length === Object.keys(b.M).length && names.every((name) => areEqualMaybe(valueAt(a.M, [name]), valueAt(b.M, [name])));
  }
  if ("L" in a && "L" in b) return a.L.length === b.L.length && a.L.every((each, place) => areEqualMaybe(each, b.L[place]));
  return JSON.stringify(a) === JSON.stringify(b);
}

function areEqualMaybe(a: Value | undefined, b: Value | undefined): boolean {
  return a !== undefined && b !== undefined && areEqual(a, b);
}

/** The product's numbers are integers; anything else is a mistake that DynamoDB would keep silently. */
export function integerOf(value: Value): bigint {
  if ("N" in value && /^-?\d{1,38}$/.test(value.N)) return BigInt(value.N);
  throw new Error(`the fake store adds integers only, not ${JSON.stringify(value)}`);
}
