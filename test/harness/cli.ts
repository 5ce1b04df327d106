import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { TestPlatform } from "./platform.ts";

const MAIN = fileURLToPath(new URL("../../cdk/cli/main.ts", import.meta.url));
const TIMEOUT_MS = 120_000;

/** Runs `weir …` as an operator's shell would, and answers what it printed. Throws with its words if it refuses. */
export async function weir({ url, operatorKey }: TestPlatform, ...words: string[]): Promise<string> {
  const env = { PATH: process.env["PATH"], WEIR_URL: url, WEIR_KEY: operatorKey };
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, ...words], { env, timeout: TIMEOUT_MS });
  return stdout;
}
