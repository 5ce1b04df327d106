import { spawn } from "node:child_process";

export type Run = {
  readonly command: string;
  readonly args: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly folder?: string;
  readonly timeoutMs: number;
};

export type Ran = { readonly output: string; readonly exitCode: number | null };

/** Runs a program to its end and shows what it prints. Past its time it is killed, and its exit code is null. */
export async function run({ command, args, environment = {}, folder, timeoutMs }: Run): Promise<Ran> {
  const child = spawn(command, args, {
    cwd: folder,
    // Nothing of this machine's settings: a proxy or somebody's own tokens would be another test.
    env: { PATH: process.env["PATH"] ?? "", LANG: "C.UTF-8", PYTHONDONTWRITEBYTECODE: "1", ...environment },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      process.stdout.write(text);
    });
  }
  const exitCode = await new Promise<number | null>((resolve, reject) => child.once("error", reject).once("close", resolve));
  return { output, exitCode };
}
