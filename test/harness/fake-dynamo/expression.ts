import { compareValues, type Item, type Path, type Value } from "./values.ts";

export type Operand =
  | { readonly kind: "path"; readonly path: Path }
  | { readonly kind: "value"; readonly value: Value }
  | { readonly kind: "size"; readonly path: Path }
  | { readonly kind: "ifNotExists"; readonly path: Path; readonly otherwise: Operand }
  | { readonly kind: "append"; readonly left: Operand; readonly right: Operand }
  | { readonly kind: "sum"; readonly left: Operand; readonly right: Operand; readonly sign: "+" | "-" };

export type Condition =
  | { readonly kind: "and" | "or"; readonly parts: readonly Condition[] }
  | { readonly kind: "not"; readonly part: Condition }
  | { readonly kind: "compare"; readonly comparator: Comparator; readonly left: Operand; readonly right: Operand }
  | { readonly kind: "between"; readonly operand: Operand; readonly from: Operand; readonly to: Operand }
  | { readonly kind: "in"; readonly operand: Operand; readonly among: readonly Operand[] }
  | { readonly kind: "test"; readonly test: Test; readonly path: Path; readonly argument?: Operand };

export type Comparator = "=" | "<>" | "<" | "<=" | ">" | ">=";
export type Test = "attribute_exists" | "attribute_not_exists" | "begins_with" | "contains";

export type Update =
  | { readonly kind: "set"; readonly path: Path; readonly to: Operand }
  | { readonly kind: "remove"; readonly path: Path }
  | { readonly kind: "add" | "delete"; readonly path: Path; readonly value: Operand };

/** What a call says its `#names` and `:values` stand for. */
export type Names = { readonly ExpressionAttributeNames?: Record<string, string>; readonly ExpressionAttributeValues?: Item };

/** An expression of the store's language that is wrong, or that this fake does not know. */
export class ExpressionError extends Error {}

const COMPARATORS: readonly string[] = ["=", "<>", "<", "<=", ">", ">="] satisfies Comparator[];
const TESTS: readonly string[] = ["attribute_exists", "attribute_not_exists", "begins_with", "contains"] satisfies Test[];
const TOKEN = /\s*(?:([#:]?[A-Za-z_][A-Za-z0-9_]*)|(\d+)|(<>|<=|>=|[=<>()+\-.,[\]]))/y;

/** Reads one call's expressions, and knows at the end which names and values none of them has used. */
export function createParser(names: Names) {
  const unused = new Set([...Object.keys(names.ExpressionAttributeNames ?? {}), ...Object.keys(names.ExpressionAttributeValues ?? {})]);
  const read = <T>(text: string, parse: (tokens: Tokens) => T) => {
    const tokens = new Tokens(text, names, unused);
    const parsed = parse(tokens);
    if (tokens.peek() !== undefined) throw new ExpressionError(`'${tokens.peek()}' was not expected in: ${text}`);
    return parsed;
  };
  return {
    condition: (text: string) => read(text, anyOf),
    update: (text: string) => read(text, updatesOf),
    paths: (text: string) => read(text, (tokens) => listOf(tokens, pathOf)),
    /** DynamoDB refuses calls that explain what they do not say. */
    assertAllUsed: () => {
      if (unused.size > 0) throw new ExpressionError(`unused in expressions: ${[...unused].join(", ")}`);
    },
  };
}

class Tokens {
  readonly #tokens: string[] = [];
  readonly #names: Names;
  readonly #unused: Set<string>;
  #at = 0;

  constructor(text: string, names: Names, unused: Set<string>) {
    this.#names = names;
    this.#unused = unused;
    TOKEN.lastIndex = 0;
    for (let end = 0; end < text.trimEnd().length; end = TOKEN.lastIndex) {
      const [token] = TOKEN.exec(text) ?? [];
      if (token === undefined) throw new ExpressionError(`the fake store cannot read: ${text.slice(end)}`);
      this.#tokens.push(token.trim());
    }
  }

  peek(): string | undefined {
    return this.#tokens[this.#at];
  }

  next(): string {
    const token = this.#tokens[this.#at];
    if (token === undefined) throw new ExpressionError("the expression ends too early");
    this.#at += 1;
    return token;
  }

  /** Takes the token if it is this one; words of the language may be written in any case. */
  takes(word: string): boolean {
    const isIt = this.peek()?.toUpperCase() === word.toUpperCase();
    if (isIt) this.#at += 1;
    return isIt;
  }

  expect(word: string) {
    if (!this.takes(word)) throw new ExpressionError(`expected ${word}, found ${this.peek() ?? "the end"}`);
  }

  name(token: string): string {
    if (!token.startsWith("#")) return token;
    this.#unused.delete(token);
    const name = this.#names.ExpressionAttributeNames?.[token];
    if (name === undefined) throw new ExpressionError(`nothing says what ${token} is`);
    return name;
  }

  value(token: string): Value {
    this.#unused.delete(token);
    const value = this.#names.ExpressionAttributeValues?.[token];
    if (value === undefined) throw new ExpressionError(`nothing says what ${token} is`);
    return value;
  }
}

function anyOf(tokens: Tokens): Condition {
  const parts = [allOf(tokens)];
  while (tokens.takes("OR")) parts.push(allOf(tokens));
  return joined("or", parts);
}

function allOf(tokens: Tokens): Condition {
  const parts = [single(tokens)];
  while (tokens.takes("AND")) parts.push(single(tokens));
  return joined("and", parts);
}

function joined(kind: "and" | "or", parts: readonly Condition[]): Condition {
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : { kind, parts };
}

function single(tokens: Tokens): Condition {
  if (tokens.takes("NOT")) return { kind: "not", part: single(tokens) };
  if (tokens.takes("(")) {
    const inner = anyOf(tokens);
    tokens.expect(")");
    return inner;
  }
  const test = tokens.peek() ?? "";
  if (isTest(test)) return testOf(tokens, test);
  const left = operandOf(tokens);
  if (tokens.takes("BETWEEN")) {
    const from = operandOf(tokens);
    tokens.expect("AND");
    const to = operandOf(tokens);
    if (from.kind === "value" && to.kind === "value" && (compareValues(from.value, to.value) ?? 0) > 0) {
      throw new ExpressionError("BETWEEN wants the lower bound first");
    }
    return { kind: "between", operand: left, from, to };
  }
  if (tokens.takes("IN")) {
    tokens.expect("(");
    const among = listOf(tokens, operandOf);
    tokens.expect(")");
    return { kind: "in", operand: left, among };
  }
  const comparator = tokens.next();
  if (!isComparator(comparator)) throw new ExpressionError(`the fake store does not know the comparator ${comparator}`);
  return { kind: "compare", comparator, left, right: operandOf(tokens) };
}

function testOf(tokens: Tokens, test: Test): Condition {
  tokens.next();
  tokens.expect("(");
  const path = pathOf(tokens);
  const argument = tokens.takes(",") ? { argument: operandOf(tokens) } : {};
  tokens.expect(")");
  return { kind: "test", test, path, ...argument };
}

function operandOf(tokens: Tokens): Operand {
  const token = tokens.peek() ?? "";
  if (token.startsWith(":")) return { kind: "value", value: tokens.value(tokens.next()) };
  if (token === "size") return { kind: "size", path: inBrackets(tokens, pathOf) };
  return { kind: "path", path: pathOf(tokens) };
}

function inBrackets<T>(tokens: Tokens, parse: (tokens: Tokens) => T): T {
  tokens.next();
  tokens.expect("(");
  const inner = parse(tokens);
  tokens.expect(")");
  return inner;
}

function pathOf(tokens: Tokens): Path {
  const path: (string | number)[] = [stepOf(tokens)];
  for (;;) {
    if (tokens.takes(".")) path.push(stepOf(tokens));
    else if (tokens.takes("[")) {
      path.push(Number(tokens.next()));
      tokens.expect("]");
    } else return path;
  }
}

function stepOf(tokens: Tokens): string {
  const token = tokens.next();
  if (!/^#?[A-Za-z_]/.test(token)) throw new ExpressionError(`${token} is no name`);
  return tokens.name(token);
}

function listOf<T>(tokens: Tokens, parse: (tokens: Tokens) => T): T[] {
  const list = [parse(tokens)];
  while (tokens.takes(",")) list.push(parse(tokens));
  return list;
}

function updatesOf(tokens: Tokens): Update[] {
  const updates: Update[] = [];
  while (tokens.peek() !== undefined) {
    if (tokens.takes("SET")) updates.push(...listOf(tokens, setOf));
    else if (tokens.takes("REMOVE")) updates.push(...listOf(tokens, pathOf).map((path) => ({ kind: "remove" as const, path })));
    else if (tokens.takes("ADD")) updates.push(...listOf(tokens, (inner) => changeOf(inner, "add")));
    else if (tokens.takes("DELETE")) updates.push(...listOf(tokens, (inner) => changeOf(inner, "delete")));
    else throw new ExpressionError(`the fake store does not know the clause ${tokens.peek()}`);
  }
  return updates;
}

function changeOf(tokens: Tokens, kind: "add" | "delete"): Update {
  const path = pathOf(tokens);
  return { kind, path, value: operandOf(tokens) };
}

function setOf(tokens: Tokens): Update {
  const path = pathOf(tokens);
  tokens.expect("=");
  const left = settableOf(tokens);
  if (tokens.takes("+")) return { kind: "set", path, to: { kind: "sum", left, right: settableOf(tokens), sign: "+" } };
  if (tokens.takes("-")) return { kind: "set", path, to: { kind: "sum", left, right: settableOf(tokens), sign: "-" } };
  return { kind: "set", path, to: left };
}

function settableOf(tokens: Tokens): Operand {
  const token = tokens.peek();
  if (token === "if_not_exists") {
    return inBrackets(tokens, (inner) => {
      const path = pathOf(inner);
      inner.expect(",");
      return { kind: "ifNotExists", path, otherwise: settableOf(inner) };
    });
  }
  if (token === "list_append") {
    return inBrackets(tokens, (inner) => {
      const left = settableOf(inner);
      inner.expect(",");
      return { kind: "append", left, right: settableOf(inner) };
    });
  }
  return operandOf(tokens);
}

function isTest(token: string): token is Test {
  return TESTS.includes(token);
}

function isComparator(token: string): token is Comparator {
  return COMPARATORS.includes(token);
}
