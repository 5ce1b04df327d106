import type { Condition, Operand, Update } from "./expression.ts";
import { areEqual, compareValues, type Item, integerOf, type Path, type Value, valueAt, withValueAt } from "./values.ts";

/** An update that the item does not allow: a path through nothing, arithmetic on what is no number. */
export class UpdateError extends Error {}

export function holds(condition: Condition, item: Item): boolean {
  switch (condition.kind) {
    case "and":
      return condition.parts.every((part) => holds(part, item));
    case "or":
      return condition.parts.some((part) => holds(part, item));
    case "not":
      return !holds(condition.part, item);
    case "compare":
      return compares(condition, item);
    case "between": {
      const [value, from, to] = [condition.operand, condition.from, condition.to].map((each) => valueFor(each, item));
      return isAtLeast(value, from) && isAtLeast(to, value);
    }
    case "in": {
      const value = valueFor(condition.operand, item);
      return condition.among.some((each) => isEqual(value, valueFor(each, item)));
    }
    case "test":
      return passes(condition, item);
  }
}

function compares({ comparator, left, right }: Extract<Condition, { kind: "compare" }>, item: Item): boolean {
  const [a, b] = [valueFor(left, item), valueFor(right, item)];
  if (comparator === "=") return isEqual(a, b);
  if (comparator === "<>") return !isEqual(a, b);
  const order = a === undefined || b === undefined ? undefined : compareValues(a, b);
  if (order === undefined) return false;
  if (comparator === "<") return order < 0;
  if (comparator === "<=") return order <= 0;
  return comparator === ">" ? order > 0 : order >= 0;
}

function passes({ test, path, argument }: Extract<Condition, { kind: "test" }>, item: Item): boolean {
  const value = valueAt(item, path);
  if (test === "attribute_exists") return value !== undefined;
  if (test === "attribute_not_exists") return value === undefined;
  const wanted = argument === undefined ? undefined : valueFor(argument, item);
  if (value === undefined || wanted === undefined) return false;
  if (test === "begins_with") return "S" in value && "S" in wanted && value.S.startsWith(wanted.S);
  if ("S" in value && "S" in wanted) return value.S.includes(wanted.S);
  if ("SS" in value && "S" in wanted) return value.SS.includes(wanted.S);
  return "L" in value && value.L.some((each) => areEqual(each, wanted));
}

function isEqual(a: Value | undefined, b: Value | undefined): boolean {
  return a !== undefined && b !== undefined && areEqual(a, b);
}

function isAtLeast(a: Value | undefined, b: Value | undefined): boolean {
  return a !== undefined && b !== undefined && (compareValues(a, b) ?? -1) >= 0;
}

function valueFor(operand: Operand, item: Item): Value | undefined {
  switch (operand.kind) {
    case "value":
      return operand.value;
    case "path":
      return valueAt(item, operand.path);
    case "size": {
      const value = valueAt(item, operand.path);
      return value === undefined ? undefined : { N: String(sizeOf(value)) };
    }
    case "ifNotExists":
      return valueAt(item, operand.path) ?? valueFor(operand.otherwise, item);
    case "append": {
      const [left, right] = [valueFor(operand.left, item), valueFor(operand.right, item)];
      if (left === undefined || right === undefined || !("L" in left) || !("L" in right)) throw new UpdateError("list_append wants lists");
      return { L: [...left.L, ...right.L] };
    }
    case "sum": {
      const [left, right] = [valueFor(operand.left, item), valueFor(operand.right, item)];
      if (left === undefined || right === undefined) throw new UpdateError("a sum of an attribute that is not there");
      return { N: String(operand.sign === "+" ? integerOf(left) + integerOf(right) : integerOf(left) - integerOf(right)) };
    }
  }
}

function sizeOf(value: Value): number {
  if ("S" in value) return Buffer.byteLength(value.S);
  if ("SS" in value) return value.SS.length;
  if ("L" in value) return value.L.length;
  if ("M" in value) return Object.keys(value.M).length;
  throw new UpdateError("size of what has none");
}

/** Every clause sees the item as it was before the update, as in DynamoDB. */
export function updated(updates: readonly Update[], before: Item): Item {
  return updates.reduce((item, update) => applied(update, item, before), before);
}

function applied(update: Update, item: Item, before: Item): Item {
  switch (update.kind) {
    case "set": {
      const value = valueFor(update.to, before);
      if (value === undefined) throw new UpdateError("SET to an attribute that is not there");
      return changed(item, update.path, value);
    }
    case "remove":
      return removed(item, update.path);
    case "add":
      return added(item, update.path, { now: valueAt(before, update.path), more: valueFor(update.value, before) });
    case "delete":
      return deleted(item, update.path, { now: valueAt(before, update.path), less: valueFor(update.value, before) });
  }
}

/** What is not there may be removed, if only what would hold it is there. */
function removed(item: Item, path: Path): Item {
  const isHeld = path.length === 1 || valueAt(item, path.slice(0, -1)) !== undefined;
  return isHeld && valueAt(item, path) === undefined ? item : changed(item, path, undefined);
}

function changed(item: Item, path: Path, value: Value | undefined): Item {
  const after = withValueAt(item, path, value);
  if (after === undefined) throw new UpdateError(`the document path ${path.join(".")} leads through nothing`);
  return after;
}

function added(item: Item, path: Path, { now, more }: { now: Value | undefined; more: Value | undefined }): Item {
  if (more !== undefined && "SS" in more && (now === undefined || "SS" in now)) {
    return changed(item, path, { SS: [...new Set([...(now?.SS ?? []), ...more.SS])].sort() });
  }
  if (more === undefined) throw new UpdateError("ADD of nothing");
  return changed(item, path, { N: String(integerOf(now ?? { N: "0" }) + integerOf(more)) });
}

function deleted(item: Item, path: Path, { now, less }: { now: Value | undefined; less: Value | undefined }): Item {
  if (now === undefined) return item;
  if (less === undefined || !("SS" in less) || !("SS" in now)) throw new UpdateError("DELETE wants string sets");
  const left = now.SS.filter((each) => !less.SS.includes(each));
  return changed(item, path, left.length === 0 ? undefined : { SS: left });
}
