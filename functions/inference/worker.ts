import { type ChildProcess, fork } from "node:child_process";
import { extname } from "node:path";
import { Failure } from "../../shared/base/failure.ts";
import type { Log } from "../../shared/log/log.ts";
import type { WorkerAnswer, WorkerCall, WorkerOrder, WorkerWord } from "./worker-protocol.ts";

export type WorkerSettings = {
  readonly order: WorkerOrder;
  /** All that it gets of the environment. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** A call that takes longer ends the worker. */
  readonly runTimeoutMs: number;
  readonly log: Log;
  /** Told whenever it can take a call. */
  readonly onIdle: () => void;
};

export type Worker = {
  readonly isIdle: () => boolean;
  readonly isUp: () => boolean;
  /** Fails with `engine_failed` if the process dies meanwhile, and with `timeout` if it takes too long and is ended. */
  readonly run: (call: WorkerCall) => Promise<WorkerAnswer>;
  readonly close: () => Promise<void>;
};

const BACK_OFF_MS_MIN = 100;
const BACK_OFF_MS_MAX = 10_000;

/**
 * One process that runs models: a run blocks its event loop, native code may crash, and only a process can be stopped in the middle of a
 * run. It is started again when it ends, after a pause that doubles until it has answered a call.
 */
export function startWorker(settings: WorkerSettings): Worker {
  const state = { child: undefined as ChildProcess | undefined, isUp: false, isClosed: false, deaths: 0 };
  const call = createPendingCall();
  let restart: NodeJS.Timeout | undefined;

  function start() {
    const child = forkWorker(settings);
    state.child = child;
    // The worker is this program's own and says nothing else.
    child.on("message", (word) => hear(word as WorkerWord));
    child.on("error", (error) => settings.log("error", "the process of a worker failed", { error }));
    child.once("close", (code, signal) => bury({ code, signal }));
  }

  function hear(word: WorkerWord) {
    if (word.kind === "ready") state.isUp = true;
    else call.settle()?.resolve(word);
    if (word.kind === "rows") state.deaths = 0;
    if (!state.isClosed) settings.onIdle();
  }

  function bury(end: { code: number | null; signal: NodeJS.Signals | null }) {
    state.isUp = false;
    call.settle()?.reject(new Failure("engine_failed", "The process that ran the model ended."));
    if (state.isClosed) return;
    const pauseMs = pauseAfter(state.deaths++);
    settings.log("warn", "a worker ended and is started again", { ...end, pauseMs });
    restart = setTimeout(start, pauseMs);
  }

  function giveUp() {
    // From now on it takes no calls, though its end is yet to be heard of.
    state.isUp = false;
    call.settle()?.reject(new Failure("timeout", `The model did not finish within ${settings.runTimeoutMs / 1_000} s.`));
    state.child?.kill("SIGKILL");
  }

  start();
  return {
    isIdle: () => state.isUp && call.isSettled(),
    isUp: () => state.isUp,
    run(order) {
      if (!state.isUp || !call.isSettled()) throw new Error("a worker is given a call only when it is idle");
      const answer = call.start(settings.runTimeoutMs, giveUp);
      state.child?.send(order);
      return answer;
    },
    async close() {
      state.isClosed = true;
      clearTimeout(restart);
      await endOf(state.child);
    },
  };
}

type Pending = {
  readonly resolve: (answer: WorkerAnswer) => void;
  readonly reject: (failure: Failure) => void;
  readonly timer: NodeJS.Timeout;
};

/** The one call that a worker may have, until it is settled: by its answer, by the worker's end, or because it took too long. */
function createPendingCall() {
  let pending: Pending | undefined;
  return {
    isSettled: () => pending === undefined,
    start: (timeoutMs: number, giveUp: () => void) =>
      new Promise<WorkerAnswer>((resolve, reject) => {
        pending = { resolve, reject, timer: setTimeout(giveUp, timeoutMs) };
      }),
    settle(): Pending | undefined {
      const settled = pending;
      pending = undefined;
      clearTimeout(settled?.timer);
      return settled;
    },
  };
}

const pauseAfter = (deaths: number) => Math.min(BACK_OFF_MS_MAX, BACK_OFF_MS_MIN * 2 ** deaths);

function forkWorker({ order, environment }: WorkerSettings): ChildProcess {
  // Beside this file, in the sources as in a bundle.
  const main = new URL(`./main.worker${extname(import.meta.url)}`, import.meta.url);
  return fork(main, [JSON.stringify(order)], {
    // Structured clones: token ids and vectors cross as bytes.
    serialization: "advanced",
    execArgv: [],
    env: { ...environment },
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
}

/** Ends a process now: what it does has nobody waiting any more. */
async function endOf(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  child.kill("SIGKILL");
  await ended;
}
