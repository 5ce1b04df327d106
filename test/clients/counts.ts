import { readFile } from "node:fs/promises";
import * as z from "zod";

/** How many checks held and how many did not. */
export const Counts = z.object({ passed: z.int().min(0), failed: z.int().min(0) });
export type Counts = z.infer<typeof Counts>;

export function sumOf(all: readonly Counts[]): Counts {
  return {
    passed: all.reduce((sum, { passed }) => sum + passed, 0),
    failed: all.reduce((sum, { failed }) => sum + failed, 0),
  };
}

/** What test/count-reporter.ts has left of the tests that ran before; nothing if no file is named. Fails if a named file is not there. */
export async function earlierCounts(file: string | undefined): Promise<Counts> {
  if (file === undefined) return { passed: 0, failed: 0 };
  return Counts.parse(JSON.parse(await readFile(file, "utf8")));
}

/** The checks of a script: its lines `ok <name>` and `failed <name>`. One that ends badly, or says nothing, has failed even if no line says so. */
export function countLines(output: string, exitCode: number | null): Counts {
  const lines = output.split("\n");
  const passed = lines.filter((line) => line.startsWith("ok ")).length;
  const failed = lines.filter((line) => line.startsWith("failed ")).length;
  const isUntold = failed === 0 && (exitCode !== 0 || passed === 0);
  return { passed, failed: isUntold ? 1 : failed };
}
