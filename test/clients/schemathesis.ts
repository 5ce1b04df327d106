import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import type { Counts } from "./counts.ts";
import { run } from "./run.ts";

export type Api = {
  /** What it is called in the output. */
  readonly name: string;
  readonly url: string;
  readonly key: string;
  /** Which paths are asked. */
  readonly paths: RegExp;
};

const CHECKS = ["not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance"];
const EXAMPLES_MAX = 20;
const ANSWER_TIMEOUT_S = 70;
const RUN_TIMEOUT_MS = 600_000;
const HOOKS = fileURLToPath(new URL("./python", import.meta.url));

/** What is read of schemathesis' own report. */
const Report = z.object({
  complete: z.boolean(),
  operations: z.object({ selected: z.int(), tested: z.int(), errored: z.int() }),
  failures: z.array(z.object({ operations: z.array(z.string()) })),
  errors: z.array(z.unknown()),
});
type Report = z.infer<typeof Report>;

/**
 * Asks every operation of `/openapi.json` what its description allows and what it forbids: nothing may be answered with a 5xx, with a status
 * or a type that is not described, or with a body that is not of its schema. Each operation counts as one check.
 */
export async function checkApi(programs: string, api: Api, folder: string): Promise<Counts> {
  const file = join(folder, `${api.name}.json`);
  const { exitCode } = await run({
    command: join(programs, "schemathesis"),
    args: argumentsFor(api, file),
    environment: { PYTHONPATH: HOOKS, SCHEMATHESIS_HOOKS: "schemathesis_hooks", HOME: folder },
    folder,
    timeoutMs: RUN_TIMEOUT_MS,
  });
  const text = await readFile(file, "utf8").catch(() => undefined);
  if (text === undefined) return { passed: 0, failed: 1 };
  return countOperations(Report.parse(JSON.parse(text)), exitCode);
}

function argumentsFor({ url, key, paths }: Api, file: string): string[] {
  return [
    ...["run", `${url}/openapi.json`, "--header", `Authorization: Bearer ${key}`, "--include-path-regex", paths.source],
    ...["--checks", CHECKS.join(","), "--phases", "examples,coverage,fuzzing", "--max-examples", String(EXAMPLES_MAX)],
    // The same requests in every run: what failed once can be looked at.
    ...["--seed", "1", "--generation-deterministic", "--continue-on-failure"],
    ...["--request-timeout", String(ANSWER_TIMEOUT_S), "--suppress-health-check", "all", "--warnings", "off", "--no-color"],
    ...["--report", "json", "--report-json-path", file],
  ];
}

/** Operations that were asked and answered well passed; a run that was cut short or asked nothing is a failure of its own. */
export function countOperations({ complete, operations, failures, errors }: Report, exitCode: number | null): Counts {
  const failed = new Set(failures.flatMap((failure) => failure.operations)).size + operations.errored;
  const passed = Math.max(0, operations.tested - failed);
  const isWhole = complete && operations.selected > 0 && operations.tested + operations.errored >= operations.selected;
  const isUntold = failed === 0 && (exitCode !== 0 || errors.length > 0 || !isWhole);
  return { passed, failed: isUntold ? 1 : failed };
}
