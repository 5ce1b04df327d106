import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAst } from "vitest/node";

export const ROOT = join(import.meta.dirname, "../..");

export type Import = { readonly from: string; readonly isTypeOnly: boolean };
export type FunctionSpan = { readonly line: number; readonly lines: number };
export type SourceFile = {
  /** Relative to the project, with `/`. */
  readonly path: string;
  readonly text: string;
  readonly lines: number;
  readonly imports: readonly Import[];
  readonly functions: readonly FunctionSpan[];
  readonly exportsDefault: boolean;
  readonly isBarrel: boolean;
};

type Node = { readonly type: string; readonly start: number; readonly end: number; readonly [field: string]: unknown };

/** Every TypeScript file that git knows or would add, parsed. */
export function readSourceFiles(): SourceFile[] {
  const listed = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "*.ts"], { cwd: ROOT, encoding: "utf8" });
  const deleted = execFileSync("git", ["ls-files", "--deleted", "*.ts"], { cwd: ROOT, encoding: "utf8" }).split("\n");
  const paths = listed.split("\n").filter((path) => path !== "" && !path.endsWith(".d.ts") && !deleted.includes(path));
  return paths.map((path) => parse(path, readFileSync(join(ROOT, path), "utf8")));
}

export function parse(path: string, text: string): SourceFile {
  const program = parseAst(text, { lang: "ts" }) as unknown as Node; // oxc's tree; only the fields read below are relied on
  const nodes = [...walk(program)];
  const body = nodes.filter((node) => nodeOf(node["source"]) !== undefined);
  return {
    path,
    text,
    lines: text.trimEnd().split("\n").length,
    imports: body.map((node) => ({ from: String(nodeOf(node["source"])?.["value"]), isTypeOnly: isTypeOnly(node) })),
    functions: nodes.filter(isFunction).map((node) => spanOf(text, node)),
    exportsDefault: nodes.some((node) => node.type === "ExportDefaultDeclaration"),
    isBarrel: nodes.some(
      (node) => node.type === "ExportAllDeclaration" || (node.type === "ExportNamedDeclaration" && nodeOf(node["source"]) !== undefined),
    ),
  };
}

function* walk(node: Node): Generator<Node> {
  yield node;
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      const found = nodeOf(child);
      if (found !== undefined) yield* walk(found);
    }
  }
}

function nodeOf(value: unknown): Node | undefined {
  const isNode = typeof value === "object" && value !== null && "type" in value && typeof value.type === "string" && "start" in value;
  return isNode ? (value as Node) : undefined; // the two fields that make a node are there
}

function isTypeOnly(node: Node): boolean {
  if (node["importKind"] === "type" || node["exportKind"] === "type") return true;
  const specifiers = Array.isArray(node["specifiers"]) ? node["specifiers"].map(nodeOf) : [];
  return specifiers.length > 0 && specifiers.every((each) => each?.["importKind"] === "type");
}

function isFunction(node: Node): boolean {
  return ["FunctionDeclaration", "FunctionExpression", "ArrowFunctionExpression"].includes(node.type);
}

function spanOf(text: string, node: Node): FunctionSpan {
  const line = text.slice(0, node.start).split("\n").length;
  return { line, lines: text.slice(node.start, node.end).split("\n").length };
}
