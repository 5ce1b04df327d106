import type { Clock } from "../../shared/base/clock.ts";
import { type PartProcess, type Program, startProcess } from "./part-process.ts";
import { StartRefusal } from "./refusal.ts";

export const RESTART_DELAY_MS_MIN = 250;
export const RESTART_DELAY_MS_MAX = 15_000;
/** A part that ran this long had recovered: its next crash counts as a first one. */
export const STABLE_MS = 60_000;
/** How long a part may take to finish what it has begun, before it is killed: longer than the parts themselves allow. */
export const DRAIN_MS_MAX = 30_000;

export type PartSpec = {
  readonly name: string;
  /** How to run it on a port: 0 until it has chosen one, which it then keeps over its restarts. */
  readonly program: (port: number) => Program;
};

export type PartWatch = {
  readonly say: (line: string) => void;
  /** The part has a process of this pid, which listens once `port` is known; without a pid it has none. */
  readonly changed: (name: string, run: { pid?: number | undefined; port?: number | undefined }) => void;
  readonly clock: Clock;
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
};

/** A process that is started again whenever it ends, until it is stopped. */
export type Part = {
  readonly name: string;
  /** Resolves with its port once it listens. Refuses if the first run ends before that. */
  readonly start: () => Promise<number>;
  /** Asks it to drain, kills it if it takes too long, and resolves when nothing of it is left. */
  readonly stop: () => Promise<void>;
  /** Ends it at once. */
  readonly kill: () => void;
};

type Run = { process: PartProcess; startedAtMs: number };
type PartState = { spec: PartSpec; watch: PartWatch; stopping: AbortController; port: number; run: Run | undefined; life: Promise<void> };

export function createPart(spec: PartSpec, watch: PartWatch): Part {
  const part: PartState = { spec, watch, stopping: new AbortController(), port: 0, run: undefined, life: Promise.resolve() };
  return {
    name: spec.name,
    start: () => startFirst(part),
    stop: () => stop(part),
    kill: () => {
      part.stopping.abort();
      part.run?.process.kill();
    },
  };
}

/** How long to wait before the restart after the n-th crash in a row: doubled each time, within limits. */
export function restartDelayMs(crashes: number): number {
  return Math.min(RESTART_DELAY_MS_MAX, RESTART_DELAY_MS_MIN * 2 ** (crashes - 1));
}

async function startFirst(part: PartState): Promise<number> {
  const run = begin(part);
  const port = await run.process.port;
  if (port === undefined) throw new StartRefusal(`${part.spec.name} could not be started: it ${await run.process.ended}`);
  part.life = keepRunning(part, run);
  return port;
}

async function keepRunning(part: PartState, first: Run) {
  const { spec, watch, stopping } = part;
  let run = first;
  for (let crashes = 1; ; crashes += 1) {
    const end = await run.process.ended;
    watch.changed(spec.name, {});
    if (stopping.signal.aborted) return;
    if (watch.clock.nowMs() - run.startedAtMs >= STABLE_MS) crashes = 1;
    const delayMs = restartDelayMs(crashes);
    watch.say(`${spec.name} ${end}; starting it again in ${delayMs} ms`);
    await watch.wait(delayMs, stopping.signal).catch(() => undefined);
    if (stopping.signal.aborted) return;
    run = begin(part);
  }
}

function begin(part: PartState): Run {
  const { spec, watch } = part;
  const process = startProcess(spec.program(part.port), watch.say);
  watch.changed(spec.name, { pid: process.pid });
  void process.port.then((port) => {
    if (port === undefined) return;
    part.port = port;
    watch.changed(spec.name, { pid: process.pid, port });
  });
  part.run = { process, startedAtMs: watch.clock.nowMs() };
  return part.run;
}

async function stop(part: PartState): Promise<void> {
  part.stopping.abort();
  const process = part.run?.process;
  if (process === undefined) return;
  process.terminate();
  const timer = setTimeout(process.kill, DRAIN_MS_MAX);
  await Promise.all([process.ended, part.life]).finally(() => clearTimeout(timer));
}
