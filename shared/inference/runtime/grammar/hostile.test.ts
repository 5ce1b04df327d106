import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

/** It takes about two seconds; with all cores busy somewhat longer. */
const TIMEOUT_MS = 30_000;

test(
  "schemas that ask for endless work are refused, or come to an answer all the same",
  async () => {
    const path = fileURLToPath(new URL("./hostile.fixture.ts", import.meta.url));

    const { stdout } = await promisify(execFile)(process.execPath, [path], { timeout: TIMEOUT_MS });

    expect(JSON.parse(stdout)).toEqual({
      "a bomb of allOf": "allowed",
      "a bomb of properties": "allowed",
      "a bomb of anyOf": expect.stringContaining("more than 1024 combinations"),
      "a long chain of references": expect.stringContaining("more than 64 schemas in a row"),
      "a long chain of properties": expect.stringContaining("No value of at most 64 levels"),
      "sets of sets": expect.stringContaining("more than 32 kinds of values at one place"),
      "a bomb within a property": "allowed",
      "thousands of constants in a row": expect.stringContaining("in too many combinations"),
      "too many properties": expect.stringContaining("more than 1000 at one place"),
      "many properties in many branches": expect.stringContaining("in too many combinations"),
      "values that begin alike, over and over": "allowed",
      "texts of many lengths": "allowed",
      "numbers of many ranges": "allowed",
    });
  },
  TIMEOUT_MS + 5_000,
);
