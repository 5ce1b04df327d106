import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import type { Environment } from "./config.ts";
import { killGroup } from "./process-identity.ts";

/** A slow laptop that does other things as well takes most of a minute for the first start. */
export const READY_TIMEOUT_MS = 120_000;
const LAST_WORDS_MS = 1_000;

/** What a part's process needs to be started. */
export type Program = {
  readonly name: string;
  /** The module it runs. */
  readonly entry: URL;
  readonly environment: Environment;
};

/** One run of a part, from its start to its end. */
export type PartProcess = {
  readonly pid: number | undefined;
  /** The port it listens on, once it says so; undefined if it ended or stayed silent before. */
  readonly port: Promise<number | undefined>;
  /** How it ended, in words: `ended with code 1`. By then nothing that it started is left. */
  readonly ended: Promise<string>;
  readonly terminate: () => void;
  readonly kill: () => void;
};

/** What a part says over its channel: that it listens, or why it ends. */
const Message = z.union([z.object({ ready: z.literal(true), port: z.int() }), z.object({ ready: z.literal(false), reason: z.string() })]);

/**
 * Starts a part as a process of its own that talks over IPC, so that it notices when this one is gone.
 * It leads a process group: Ctrl-C in the terminal reaches only the supervisor, which stops the parts in order, and killing the group leaves no grandchild.
 */
export function startProcess(program: Program, say: (line: string) => void): PartProcess {
  const child = fork(fileURLToPath(program.entry), [], {
    env: program.environment,
    execArgv: [],
    detached: true,
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  for (const output of [child.stdout, child.stderr]) if (output !== null) sayLines(output, (line) => say(`[${program.name}] ${line}`));
  const kill = () => {
    if (child.pid !== undefined) killGroup(child.pid);
  };
  let reason: string | undefined;
  child.on("message", (message) => {
    const said = Message.safeParse(message).data;
    if (said?.ready === false) reason = said.reason;
  });
  const giveUp = () => {
    reason ??= `was ended, for it did not listen within ${READY_TIMEOUT_MS / 1_000} s`;
    kill();
  };
  return {
    pid: child.pid,
    port: portOf(child, giveUp),
    ended: endOf(child, kill).then((words) => reason ?? words),
    terminate: () => child.kill("SIGTERM"),
    kill,
  };
}

/** A part that stays silent is ended, or its supervisor would wait for ever. */
async function portOf(child: ChildProcess, giveUp: () => void): Promise<number | undefined> {
  const timer = setTimeout(giveUp, READY_TIMEOUT_MS);
  const ended = once(child, "exit").then(() => undefined);
  const message = once(child, "message").then(([said]) => Message.safeParse(said).data);
  try {
    const said = await Promise.race([message, ended]);
    return said?.ready === true ? said.port : undefined;
  } catch {
    return undefined; // it could not even be started, which its end says in words
  } finally {
    clearTimeout(timer);
  }
}

async function endOf(child: ChildProcess, kill: () => void): Promise<string> {
  const closed = once(child, "close").catch(() => undefined);
  try {
    const [code, signal] = await once(child, "exit");
    return signal === null ? `ended with code ${code}` : `was ended by ${signal}`;
  } catch (error) {
    return `could not be started: ${error instanceof Error ? error.message : error}`;
  } finally {
    kill();
    // Its last words are still on their way.
    await Promise.race([closed, sleep(LAST_WORDS_MS, undefined, { ref: false })]);
  }
}

function sayLines(output: Readable, say: (line: string) => void) {
  createInterface({ input: output }).on("line", say);
}
