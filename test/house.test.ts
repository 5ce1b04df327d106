import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { wrongImportsOf } from "./house/arrows.ts";
import { parse, ROOT, readSourceFiles } from "./house/source-files.ts";

const FILE_LINES_MAX = 300;
const FUNCTION_LINES_MAX = 60;
const README_LINES_MAX = 40;
const TOP_LEVEL = new Set(["cdk", "edge", "functions", "shared", "test", "vitest.config.ts"]);

const files = readSourceFiles();
const isTool = (path: string) => path === "vitest.config.ts" || path === "test/count-reporter.ts";

test("every file lies in a room of the house", () => {
  const strays = files.filter(({ path }) => !TOP_LEVEL.has(path.split("/")[0] ?? ""));

  expect(strays.map(({ path }) => `${path}: move it into cdk, edge, functions, shared or test`)).toEqual([]);
});

test("imports follow the arrows of the house", () => {
  expect(files.flatMap(wrongImportsOf)).toEqual([]);
});

test("files stay short enough to read", () => {
  const long = files.filter(({ lines }) => lines > FILE_LINES_MAX);

  expect(long.map(({ path, lines }) => `${path} has ${lines} lines: split it by idea, ${FILE_LINES_MAX} at most`)).toEqual([]);
});

test("functions stay short enough to read", () => {
  const long = files.flatMap(({ path, functions }) =>
    functions.filter(({ lines }) => lines > FUNCTION_LINES_MAX).map((each) => ({ path, ...each })),
  );

  expect(
    long.map(({ path, line, lines }) => `${path}:${line} has ${lines} lines: take steps out of it, ${FUNCTION_LINES_MAX} at most`),
  ).toEqual([]);
});

test("only config.ts reads the environment", () => {
  const readers = files.filter(
    ({ path, text }) =>
      /\bprocess\.env\b/.test(text) && !/(^|\/)config\.ts$/.test(path) && !path.startsWith("test/") && !path.endsWith(".test.ts"),
  );

  expect(readers.map(({ path }) => `${path}: parse it in the room's config.ts and pass it in`)).toEqual([]);
});

test("nothing is exported by default, and nothing is a barrel", () => {
  const defaults = files.filter((file) => file.exportsDefault && !isTool(file.path)).map(({ path }) => `${path}: export it by its name`);
  const barrels = files.filter((file) => file.isBarrel).map(({ path }) => `${path}: import from the file that has it`);

  expect([...defaults, ...barrels]).toEqual([]);
});

test("zod comes as a namespace, of which a bundler takes what is used; as `{ z }` it brings 340 KB of other languages' messages", () => {
  const whole = files.filter(({ text }) => /^import \{ z\b.* from "zod"/m.test(text));

  expect(whole.map(({ path }) => `${path}: import * as z from "zod"`)).toEqual([]);
});

test("kebab-case names every file", () => {
  const others = files.filter(({ path }) => !/^[a-z0-9.-]+$/.test(path.split("/").at(-1) ?? ""));

  expect(others.map(({ path }) => `${path}: rename it in kebab-case`)).toEqual([]);
});

test("a room's README is a page, not a book", () => {
  const readmes = [...new Set(files.map(({ path }) => join(dirname(path), "README.md")))].filter(
    (path) => path !== "README.md" && existsSync(join(ROOT, path)),
  );
  const long = readmes.filter((path) => readFileSync(join(ROOT, path), "utf8").trimEnd().split("\n").length > README_LINES_MAX);

  expect(long.map((path) => `${path}: ${README_LINES_MAX} lines at most`)).toEqual([]);
});

test("the check itself sees what it forbids", () => {
  const long = `export default function f() {\n${"x();\n".repeat(FUNCTION_LINES_MAX)}}\nexport * from "./g.ts";\n`;

  const seen = parse("edge/bad.ts", `import { Stack } from "aws-cdk-lib";\nimport { x } from "../functions/intake/main.node.ts";\n${long}`);

  expect(seen.exportsDefault && seen.isBarrel).toBe(true);
  expect(seen.functions.some(({ lines }) => lines > FUNCTION_LINES_MAX)).toBe(true);
  expect(wrongImportsOf(seen)).toHaveLength(2);
});
