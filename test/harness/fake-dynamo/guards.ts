import type { Condition, Operand, Update } from "./expression.ts";
import type { Item, Path, Value } from "./values.ts";

/**
 * A guard is one condition of one step, by name: what must hold before the store does what it is asked. The names come from the calls
 * themselves, so a condition that is added to the product is a guard from then on.
 */
export type Guard = string;

export function guardName(step: string, condition: string): Guard {
  return `${step} IF ${condition}`;
}

const KEYS = new Set(["pk", "sk"]);

/** The conditions that must all hold. */
export function conjunctsOf(condition: Condition): readonly Condition[] {
  return condition.kind === "and" ? condition.parts.flatMap(conjunctsOf) : [condition];
}

/** Names a put by its table, the kind of its key and its one-letter attributes: `ledger: put m st='P'`. */
export function putName(table: string, item: Item): string {
  const letters = Object.entries(item).flatMap(([name, value]) => (!KEYS.has(name) && isLetter(value) ? [`${name}=${shown(value)}`] : []));
  // A key that begins with a tenant's name says nothing of its kind.
  if (NAMED_BY_TENANT.has(table)) return `${table}: put`;
  const keys = KEYED_BY_TENANT.has(table) ? [prefixOf(item["pk"])] : [prefixOf(item["pk"]), prefixOf(item["sk"])];
  return [`${table}: put`, ...keys, ...letters].filter((word) => word !== "").join(" ");
}

/**
 * Names an update by what it changes of what it guards, by its one-letter constants, and by what it asks: `ledger: SET st='S' WHERE e, st`.
 * So a gateway's step is another one than a sealer's that does the same under more conditions.
 */
export function updateName(table: string, updates: readonly Update[], condition: Condition | undefined): string {
  const guarded = new Set(condition === undefined ? [] : conjunctsOf(condition).flatMap(namesIn));
  const told = updates.flatMap((update) => {
    const [name] = update.path;
    const isConstant = update.kind === "set" && update.to.kind === "value" && isLetter(update.to.value);
    return isConstant || (typeof name === "string" && guarded.has(name)) ? [updateText(update)] : [];
  });
  const where = [...guarded].map((name) => pathText([name])).sort();
  const words = [...new Set(told.length > 0 ? told : updates.map(updateText))].sort().join(", ");
  return `${table}: ${words}${where.length === 0 ? "" : ` WHERE ${[...new Set(where)].join(", ")}`}`;
}

/** Names a read by the kind of its key, and a query also by where in its partition it looks: `seals: Query h head`. */
export function getName(table: string, key: Item): string {
  const [pk, sk] = [prefixOf(key["pk"]), KEYED_BY_TENANT.has(table) ? "" : prefixOf(key["sk"])];
  return [`${table}: get`, NAMED_BY_TENANT.has(table) ? "" : pk, sk].filter((word) => word !== "").join(" ");
}

export function queryName(table: string, condition: Condition): string {
  const [partition, range] = conjunctsOf(condition);
  const words = [partition, range].map((each) => prefixOf(each === undefined ? undefined : firstValueOf(each)));
  const [pk = "", sk = ""] = words;
  return [`${table}: query`, pk, KEYED_BY_TENANT.has(table) ? (range === undefined ? "" : "a range") : sk]
    .filter((word) => word !== "")
    .join(" ");
}

/** What sorts there begins with a tenant's name, which says nothing of its kind. */
const KEYED_BY_TENANT = new Set(["ledger"]);
/** And here the key itself does. */
const NAMED_BY_TENANT = new Set(["idempotency", "limits"]);

function firstValueOf(condition: Condition): Value | undefined {
  if (condition.kind === "between") return condition.from.kind === "value" ? condition.from.value : undefined;
  if (condition.kind === "compare") return condition.right.kind === "value" ? condition.right.value : undefined;
  return condition.kind === "test" && condition.argument?.kind === "value" ? condition.argument.value : undefined;
}

export function deleteName(table: string, key: Item): string {
  return `${table}: delete ${prefixOf(key["pk"])}`;
}

export function conditionText(condition: Condition): string {
  switch (condition.kind) {
    case "and":
    case "or":
      return `(${condition.parts.map(conditionText).join(` ${condition.kind} `)})`;
    case "not":
      return `not ${conditionText(condition.part)}`;
    case "compare":
      return `${operandText(condition.left)} ${condition.comparator} ${operandText(condition.right)}`;
    case "between":
      return `${operandText(condition.operand)} between ${operandText(condition.from)} and ${operandText(condition.to)}`;
    case "in":
      return `${operandText(condition.operand)} in (${condition.among.map(operandText).join(", ")})`;
    case "test":
      return `${condition.test}(${pathText(condition.path)}${condition.argument ? `, ${operandText(condition.argument)}` : ""})`;
  }
}

function updateText(update: Update): string {
  const path = pathText(update.path);
  if (update.kind === "remove") return `REMOVE ${path}`;
  return update.kind === "set" ? `SET ${path}=${operandText(update.to)}` : `${update.kind.toUpperCase()} ${path}`;
}

function operandText(operand: Operand): string {
  switch (operand.kind) {
    case "path":
      return pathText(operand.path);
    case "value":
      return shown(operand.value);
    case "size":
      return `size(${pathText(operand.path)})`;
    case "ifNotExists":
      return `if_not_exists(${pathText(operand.path)}, ${operandText(operand.otherwise)})`;
    case "append":
      return `list_append(${operandText(operand.left)}, ${operandText(operand.right)})`;
    case "sum":
      return `${operandText(operand.left)}${operand.sign}${operandText(operand.right)}`;
  }
}

/** Below the first name there are ids, and at the end of some names numbers, which would make a guard of each. */
function pathText([name, ...below]: Path): string {
  return [String(name).replace(/\.\d+$/, ".*"), ...below.map(() => "*")].join(".");
}

function namesIn(condition: Condition): string[] {
  switch (condition.kind) {
    case "and":
    case "or":
      return condition.parts.flatMap(namesIn);
    case "not":
      return namesIn(condition.part);
    case "compare":
      return [condition.left, condition.right].flatMap(nameOf);
    case "between":
    case "in":
      return nameOf(condition.operand);
    case "test":
      return nameOf({ kind: "path", path: condition.path });
  }
}

function nameOf(operand: Operand): string[] {
  const [name] = operand.kind === "path" || operand.kind === "size" ? operand.path : [];
  return typeof name === "string" ? [name] : [];
}

function isLetter(value: Value): boolean {
  return "S" in value && value.S.length === 1;
}

function shown(value: Value): string {
  return "S" in value && value.S.length === 1 ? `'${value.S}'` : "?";
}

/** The kind of a key, such as `m` in `m#2026-11-23T19:25#0`. */
function prefixOf(value: Value | undefined): string {
  return value !== undefined && "S" in value ? (/^[a-z-]+(?=#|$)/.exec(value.S)?.[0] ?? "") : "";
}
