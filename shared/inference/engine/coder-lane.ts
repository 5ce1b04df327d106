import { Failure } from "../../base/failure.ts";
import { type CoderAnswer, type CoderCall, type CoderValue, type CoderWord, type CoderWork, thrownOf } from "../runtime/coder-wire.ts";

export type LaneLimits = {
  /** Starting the thread or process, and reading a tokenizer. */
  readonly loadMsMax: number;
  readonly callMsMax: number;
};

export type Job = {
  readonly call: CoderCall;
  readonly resolve: (value: CoderValue) => void;
  readonly reject: (error: Error) => void;
};

/** A thread or process that does calls. */
export type Doer = {
  readonly post: (call: CoderCall) => void;
  /** Whether it keeps this process alive. */
  readonly hold: (isHeld: boolean) => void;
  readonly end: () => Promise<unknown>;
};

/** What a lane wants to hear of: words, and that the doer is gone. */
export type Ears = { readonly hear: (word: CoderWord) => void; readonly lose: (cause?: Error) => void };
export type StartDoer = (ears: Ears) => Doer;

export type Lane = {
  readonly isBusy: () => boolean;
  /** Whether its doer has read this folder already. */
  readonly knows: (folder: string) => boolean;
  /** Only while it is not busy. */
  readonly run: (job: Job) => void;
  readonly close: () => Promise<void>;
};

type Running = { readonly job: Job; timer: NodeJS.Timeout };

/** One thread or process, which is started when there is something to do, and the call that it is doing. */
export function createLane(start: StartDoer, limits: LaneLimits, onFree: () => void): Lane {
  const known = new Set<string>();
  let doer: Doer | undefined;
  let running: Running | undefined;

  function run(job: Job) {
    doer ??= startHeard(start, (each) => each === doer, { hear, lose: (cause) => lose((work) => died(work, cause)) });
    running = { job, timer: limitTo(known.has(job.call.folder) ? limits.callMsMax : limits.loadMsMax) };
    doer.hold(true);
    doer.post(job.call);
  }

  function limitTo(ms: number): NodeJS.Timeout {
    return setTimeout(() => lose((work) => spent(work, ms)), ms);
  }

  function hear(word: CoderWord) {
    if (running === undefined || running.job.call.id !== word.id) return;
    if ("isLoaded" in word) {
      known.add(running.job.call.folder);
      clearTimeout(running.timer);
      running.timer = limitTo(limits.callMsMax);
      return;
    }
    if (word.evicted !== undefined) known.delete(word.evicted);
    settle(finish(running), word);
    onFree();
  }

  /** It is gone, or goes now because its call took too long. */
  function lose(failureOf: (work: CoderWork) => Failure) {
    const lost = doer;
    doer = undefined;
    known.clear();
    void lost?.end();
    if (running !== undefined) {
      const job = finish(running);
      job.reject(failureOf(job.call.work));
    }
    onFree();
  }

  function finish({ job, timer }: Running): Job {
    clearTimeout(timer);
    running = undefined;
    doer?.hold(false);
    return job;
  }

  async function close() {
    const closing = doer;
    doer = undefined;
    if (running !== undefined) finish(running).reject(ended());
    await closing?.end();
  }

  return { isBusy: () => running !== undefined, knows: (folder) => known.has(folder), run, close };
}

/** What one that is gone says no longer counts. */
function startHeard(start: StartDoer, isCurrent: (doer: Doer) => boolean, { hear, lose }: Ears): Doer {
  const started: Doer = start({
    hear: (word) => isCurrent(started) && hear(word),
    lose: (cause) => isCurrent(started) && lose(cause),
  });
  return started;
}

export const ended = () => new Failure("unavailable", "The tokenizers' threads are closed.");

function settle(job: Job, answer: CoderAnswer) {
  if ("value" in answer) job.resolve(answer.value);
  else job.reject(thrownOf(answer));
}

function spent({ kind }: CoderWork, ms: number): Failure {
  return kind === "render"
    ? new Failure("invalid_request", `The model's chat template did not end within ${ms} ms.`, { field: "messages" })
    : new Failure("timeout", `The tokenizer did not end within ${ms} ms.`);
}

function died({ kind }: CoderWork, cause: Error | undefined): Failure {
  return kind === "render"
    ? new Failure("invalid_request", "The model's chat template wanted more memory than it may have.", { field: "messages", cause })
    : new Failure("unavailable", "The tokenizer's thread ended.", { cause });
}
