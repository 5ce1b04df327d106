import { runCli } from "../../cdk/cli/program.ts";

/** How a command ended, and what it printed. */
export type Said = { readonly code: number; readonly out: string; readonly err: string };

/** Runs `weir …` in this process. */
export async function runCommand(words: readonly string[], environment: NodeJS.ProcessEnv): Promise<Said> {
  const [out, err]: [string[], string[]] = [[], []];
  const code = await runCli({
    words,
    stdout: (text) => void out.push(text),
    stderr: (text) => void err.push(text),
    environment,
  });
  return { code, out: out.join(""), err: err.join("") };
}
