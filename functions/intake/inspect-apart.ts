import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { extname } from "node:path";
import type { VersionFacts } from "../../shared/models/version.ts";
import type { GoldenModel } from "./check-version.ts";
import { GoldenAnswer, type GoldenLimits, type GoldenOrder } from "./golden.ts";
import { rejection } from "./rejection.ts";

/** JavaScript's part of the memory; the weights and tensors lie outside of it and are watched. */
const HEAP_MIB_MAX = 1_024;
/** The child measures its processor time itself; one that waits instead of working is stopped after this many times as long. */
const PATIENCE = 2;

/**
 * Loads and runs a model in a process of its own, which may crash, hang or grow without harm to this one: it ends when its time or its memory is spent,
 * and when this process ends. It gets nothing of this process's environment, so no credentials either.
 */
export async function inspectApart(limits: GoldenLimits, model: GoldenModel, signal: AbortSignal): Promise<VersionFacts> {
  const child = start({ ...model, limits });
  const said: GoldenAnswer[] = [];
  child.on("message", (message) => {
    const answer = GoldenAnswer.safeParse(message);
    if (answer.success) said.push(answer.data);
  });
  const kill = () => child.kill("SIGKILL");
  const timer = setTimeout(() => {
    said.push({ kind: "spent", limit: "time" });
    kill();
  }, limits.timeoutMs * PATIENCE);
  signal.addEventListener("abort", kill);
  try {
    const ending = await endOf(child);
    signal.throwIfAborted();
    if (said.shift()?.kind !== "begun") throw new Error(`the process that tries models did not start (${ending})`);
    return factsOf(said[0], { limits, ending });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", kill);
  }
}

function start(order: GoldenOrder): ChildProcess {
  // Beside this file, in the sources as in a bundle.
  const main = new URL(`./main.golden${extname(import.meta.url)}`, import.meta.url);
  return fork(main, [JSON.stringify(order)], {
    execArgv: [`--max-old-space-size=${Math.min(HEAP_MIB_MAX, order.limits.memoryMib)}`],
    env: {},
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
}

/** How it ended, in words. The channel is read to its end too: the child's last word may come after the news of its death. */
async function endOf(child: ChildProcess): Promise<string> {
  const [[code, killedBy]] = await Promise.all([once(child, "exit"), once(child, "disconnect")]);
  return killedBy ?? `exit code ${code}`;
}

function factsOf(lastWord: GoldenAnswer | undefined, { limits, ending }: { limits: GoldenLimits; ending: string }): VersionFacts {
  switch (lastWord?.kind) {
    case "facts":
      return lastWord.facts;
    case "refused":
      throw rejection(lastWord.reason);
    case "spent":
      throw rejection(spentReason(lastWord.limit, limits));
    default:
      throw rejection(`The model ended the process that loaded and ran it (${ending}).`);
  }
}

function spentReason(limit: "time" | "memory", { timeoutMs, memoryMib }: GoldenLimits): string {
  return limit === "time"
    ? `The model did not load and answer within ${timeoutMs / 1000} s of processor time.`
    : `The model needs more than ${memoryMib} MiB of memory to load and answer.`;
}
