import { Failure } from "../../base/failure.ts";
import type { Log } from "../../log/log.ts";
import type { GenerateOrder } from "../runtime/generate/order.ts";
import { createPendingCall } from "./pending-call.ts";
import { createRunningGenerations, type GenerationSink } from "./running-generations.ts";
import type { Graph, WorkerAnswer, WorkerCall, WorkerOrder, WorkerRefusal, WorkerWord } from "./worker-protocol.ts";

/** A process or a thread that runs `host.ts`. */
export type Body = {
  readonly send: (order: WorkerOrder) => void;
  /** Ends it now, in the middle of a run if need be. */
  readonly kill: () => void;
};

/** Whom a body reports to. */
export type BodyEvents = { readonly word: (word: WorkerWord) => void; readonly ended: (how: string) => void };

export type WorkerSettings = {
  readonly spawn: (events: BodyEvents) => Body;
  /** A call that takes longer, or a generation that says nothing for so long, ends the body. */
  readonly runTimeoutMs: number;
  readonly log: Log;
} & WorkerReports;

export type WorkerReports = {
  /** Told whenever it can take a call or another generation. */
  readonly onIdle: () => void;
  /** Told once when the body dies of its work or is ended for it, before anybody's request fails: the model that was at work, or all that may have been. */
  readonly onDeath: (models: readonly string[], reason: string) => void;
};

export type Worker = {
  readonly isIdle: () => boolean;
  readonly isUp: () => boolean;
  /** Whether it may be given generations: not while it is down, nor once it wants to be replaced. */
  readonly takesGenerations: () => boolean;
  /** Choices that it generates now. */
  readonly choices: () => number;
  /** Fails with `engine_failed` if the body dies meanwhile, and with `timeout` if it takes too long and is ended. */
  readonly run: (call: WorkerCall) => Promise<WorkerAnswer>;
  /** Answers what to call when nobody wants the rest. */
  readonly generate: (graph: Graph, order: GenerateOrder, sink: GenerationSink) => () => void;
  readonly close: () => Promise<void>;
};

const BACK_OFF_MS_MIN = 100;
const BACK_OFF_MS_MAX = 10_000;

/** One worker's life: its bodies one after the other, and what the present one has to do. */
type Life = {
  readonly settings: WorkerSettings;
  readonly call: ReturnType<typeof createPendingCall>;
  readonly generations: ReturnType<typeof createRunningGenerations>;
  body: Body | undefined;
  isUp: boolean;
  isClosed: boolean;
  /** It wants to be replaced, and is ended for that. */
  isSpent: boolean;
  isRetired: boolean;
  deaths: number;
  /** The model that it said last it was at. */
  atKey: string;
  restart: NodeJS.Timeout | undefined;
  ended: PromiseWithResolvers<void>;
};

/**
 * One body that runs models: a run blocks its event loop, native code may crash, and only a body can be stopped in the middle of a run. It is
 * started again when it ends, after a pause that doubles until it has answered a call.
 */
export function startWorker(settings: WorkerSettings): Worker {
  const life: Life = {
    settings,
    call: createPendingCall(),
    generations: createRunningGenerations(settings.runTimeoutMs, () => giveUp(life, "said nothing")),
    ...{ body: undefined, restart: undefined, ended: Promise.withResolvers<void>() },
    ...{ isUp: false, isClosed: false, isSpent: false, isRetired: false, deaths: 0, atKey: "" },
  };
  start(life);
  const { call, generations } = life;
  return {
    isIdle: () => life.isUp && !life.isSpent && call.isSettled(),
    isUp: () => life.isUp,
    takesGenerations: () => life.isUp && !life.isSpent,
    choices: generations.choices,
    run(order) {
      if (!life.isUp || !call.isSettled()) throw new Error("a worker is given a call only when it is idle");
      const answer = call.start(order, settings.runTimeoutMs, () => giveUp(life, "did not finish"));
      life.body?.send(order);
      return answer;
    },
    generate(graph, order, sink) {
      if (!life.isUp) throw new Error("a worker is given a generation only when it is up");
      generations.add(graph, order, sink);
      life.body?.send({ kind: "generate", graph, order });
      return () => {
        if (generations.drop(order.id)) life.body?.send({ kind: "cancel", id: order.id });
      };
    },
    async close() {
      life.isClosed = true;
      clearTimeout(life.restart);
      generations.close();
      if (life.body === undefined) return;
      life.body.kill();
      await life.ended.promise;
    },
  };
}

function start(life: Life) {
  life.ended = Promise.withResolvers<void>();
  life.isSpent = false;
  life.isRetired = false;
  life.atKey = "";
  life.body = life.settings.spawn({ word: (word) => hear(life, word), ended: (how) => bury(life, how) });
}

function hear(life: Life, word: WorkerWord) {
  switch (word.kind) {
    case "ready":
      life.isUp = true;
      break;
    case "at":
      life.atKey = word.key;
      return;
    case "alive":
      life.generations.touch();
      return;
    case "answer":
      if (word.answer.kind !== "failed") life.deaths = 0;
      life.call.settle()?.resolve(word.answer);
      break;
    case "generated":
      life.deaths = 0;
      if (!life.generations.tell(word.id, word.event)) return;
      break;
    case "broken":
      life.generations.refuse(word.id, failureOf(word.refusal));
      break;
    case "spent":
      life.isSpent = true;
      break;
  }
  if (life.isSpent) retire(life);
  else if (!life.isClosed) life.settings.onIdle();
}

/** It may have been given work before it was heard: that is ended, and no more is given, so that it is replaced even if work never runs out. */
function retire(life: Life) {
  if (!life.call.isSettled() || life.generations.choices() > 0) return;
  life.isUp = false;
  life.isRetired = true;
  life.body?.kill();
}

function bury(life: Life, how: string) {
  const { settings, isRetired } = life;
  failAll(life, new Failure("engine_failed", "The process that ran the model ended.", { cause: new Error(how) }));
  life.ended.resolve();
  if (life.isClosed) return;
  const pauseMs = isRetired ? 0 : pauseAfter(life.deaths++);
  settings.log(isRetired ? "info" : "warn", "a worker ended and is started again", { how, pauseMs });
  life.restart = setTimeout(start, pauseMs, life);
}

function giveUp(life: Life, what: string) {
  failAll(life, new Failure("timeout", `The model ${what} within ${life.settings.runTimeoutMs / 1_000} s.`));
  life.body?.kill();
}

/** From now on it takes no calls, though its end may be yet to be heard of. */
function failAll(life: Life, failure: Failure) {
  life.isUp = false;
  const models = new Set([...life.call.models(), ...life.generations.models()]);
  // What it said last may be old: whose work has ended since is not to blame.
  const suspects = models.has(life.atKey) ? [life.atKey] : [...models];
  if (suspects.length > 0) life.settings.onDeath(suspects, failure.message);
  life.call.settle()?.reject(failure);
  life.generations.bury(failure);
}

export function failureOf({ code, message, field }: WorkerRefusal): Failure {
  return new Failure(code, message, field === undefined ? {} : { field });
}

const pauseAfter = (deaths: number) => Math.min(BACK_OFF_MS_MAX, BACK_OFF_MS_MIN * 2 ** deaths);
