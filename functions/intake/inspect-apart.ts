import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { extname } from "node:path";
import type { VersionFacts } from "../../shared/models/version.ts";
import type { GoldenModel } from "./check-version.ts";
import { GoldenAnswer, type GoldenOrder } from "./golden.ts";
import { rejection } from "./rejection.ts";

export type GoldenLimits = { readonly timeoutMs: number; readonly memoryMib: number };

/** JavaScript's part of the memory; the weights and tensors lie outside of it and are watched. */
const HEAP_MIB_MAX = 1_024;

/**
 * Loads and runs a model in a process of its own, which may crash, hang or grow without harm to this one: it is killed when its time is over, when its
 * memory is too much, and when this process ends. It gets nothing of this process's environment, so no credentials either.
 */
export async function inspectApart(limits: GoldenLimits, model: GoldenModel, signal: AbortSignal): Promise<VersionFacts> {
  const order: GoldenOrder = { ...model, memoryMib: limits.memoryMib };
  // Beside this file, in the sources as in a bundle.
  const main = new URL(`./main.golden${extname(import.meta.url)}`, import.meta.url);
  const child = fork(main, [JSON.stringify(order)], {
    execArgv: [`--max-old-space-size=${Math.min(HEAP_MIB_MAX, limits.memoryMib)}`],
    env: {},
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
  const kill = () => child.kill("SIGKILL");
  let answer: GoldenAnswer | undefined;
  child.on("message", (message) => {
    answer = GoldenAnswer.safeParse(message).data;
  });
  let isOver = false;
  const timer = setTimeout(() => {
    isOver = true;
    kill();
  }, limits.timeoutMs);
  signal.addEventListener("abort", kill);
  try {
    const ended = await endOf(child);
    signal.throwIfAborted();
    return factsOf({ answer, isOver, ended }, limits);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", kill);
  }
}

type Ended = { readonly code: number | null; readonly killedBy: NodeJS.Signals | null };

/** The channel is read to its end too: the child's last word may come after the news of its death. */
async function endOf(child: ChildProcess): Promise<Ended> {
  const [[code, killedBy]] = await Promise.all([once(child, "exit"), once(child, "disconnect")]);
  return { code, killedBy };
}

type Run = { readonly answer: GoldenAnswer | undefined; readonly isOver: boolean; readonly ended: Ended };

function factsOf({ answer, isOver, ended }: Run, limits: GoldenLimits): VersionFacts {
  if (isOver) throw rejection(`The model did not load and answer within ${limits.timeoutMs / 1000} s.`);
  switch (answer?.kind) {
    case "facts":
      return answer.facts;
    case "refused":
      throw rejection(answer.reason);
    case "memory":
      throw rejection(`The model needs more than ${limits.memoryMib} MiB of memory to load and answer.`);
    case undefined:
      throw rejection(`The model ended the process that loaded and ran it (${ended.killedBy ?? `exit code ${ended.code}`}).`);
  }
}
