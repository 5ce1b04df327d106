import type { Clock } from "../../base/clock.ts";
import { Failure } from "../../base/failure.ts";
import { assembleBatch } from "./batch.ts";

/** One input that waits for a run. */
export type Waiting = {
  /** Inputs of one model, file and all, may run together. */
  readonly group: string;
  readonly tokens: number;
  readonly isPadded: boolean;
  /** Whose turn is sooner goes first: the arrival of its request, and later for each further input of it. */
  readonly turnAtMs: number;
  /** When its caller gives up. */
  readonly deadlineAtMs: number;
  readonly signal: AbortSignal;
  /** Told, instead of being run, once its time is over or its caller has left. */
  readonly refuse: (failure: Failure) => void;
};

export type QueueLimits = {
  /** Waiting inputs of all models together: counted one by one, or requests of thousands of texts would slip past. */
  readonly inputsMax: number;
  readonly batchTokensMax: number;
  readonly batchInputsMax: number;
};

export type Queue<T extends Waiting> = {
  /** Takes all or none. Fails with `overloaded` when full, and with `invalid_request` for an input that no batch can hold. */
  readonly add: (inputs: readonly T[]) => void;
  /** The next batch for one of `idleWorkers`, with the input whose turn is soonest; empty if nobody waits. */
  readonly take: (idleWorkers: number) => readonly T[];
  readonly size: () => number;
};

const RETRY_AFTER_MS = 1_000;
/** Inputs that do not share a run gain nothing by going together but fewer messages; more of them would only make the next caller wait. */
const SEPARATE_TOKENS_MAX = 256;

export function createQueue<T extends Waiting>(limits: QueueLimits, clock: Clock): Queue<T> {
  const groups = new Map<string, T[]>();
  const size = () => [...groups.values()].reduce((sum, group) => sum + group.length, 0);

  /** Callers who left or whose time is over make room without being run. */
  function sweep(name: string, group: readonly T[]): T[] {
    const nowMs = clock.nowMs();
    const staying = group.filter((input) => !dismiss(input, nowMs));
    if (staying.length === 0) groups.delete(name);
    else groups.set(name, staying);
    return staying;
  }

  return {
    size,
    add(inputs) {
      for (const input of inputs) checkLength(input, limits.batchTokensMax);
      if (size() + inputs.length > limits.inputsMax) for (const [name, group] of groups) sweep(name, group);
      if (size() + inputs.length > limits.inputsMax) throw full();
      for (const input of inputs) {
        const group = groups.get(input.group);
        if (group === undefined) groups.set(input.group, [input]);
        else group.push(input);
      }
      for (const name of new Set(inputs.map(({ group }) => group))) groups.get(name)?.sort((a, b) => a.turnAtMs - b.turnAtMs);
    },
    take(idleWorkers) {
      while (groups.size > 0) {
        const [name, waiting] = oldestOf(groups);
        const group = sweep(name, waiting);
        const [oldest] = group;
        if (oldest === undefined) continue;
        const chosen = new Set(assembleBatch(group, { ...sharesOf(group, idleWorkers), isPadded: oldest.isPadded }));
        const left = group.filter((_, index) => !chosen.has(index));
        if (left.length === 0) groups.delete(name);
        else groups.set(name, left);
        return group.filter((_, index) => chosen.has(index));
      }
      return [];
    },
  };

  /** What one worker takes, so that several idle ones share what waits instead of one taking all. */
  function sharesOf(group: readonly T[], idleWorkers: number) {
    const [oldest] = group;
    const share = Math.ceil(group.reduce((sum, { tokens }) => sum + tokens, 0) / Math.max(1, idleWorkers));
    const most = oldest?.isPadded ? limits.batchTokensMax : Math.min(limits.batchTokensMax, SEPARATE_TOKENS_MAX);
    return { tokensMax: Math.max(Math.min(share, most), oldest?.tokens ?? 0), inputsMax: limits.batchInputsMax };
  }
}

/** Says whether an input is no longer to be run, after telling its caller. */
function dismiss(input: Waiting, nowMs: number): boolean {
  if (input.signal.aborted) {
    input.refuse(new Failure("cancelled", "The caller left."));
    return true;
  }
  if (input.deadlineAtMs > nowMs) return false;
  input.refuse(new Failure("timeout", "The model was busy for all of the request's time.", { retryAfterMs: RETRY_AFTER_MS }));
  return true;
}

function oldestOf<T extends Waiting>(groups: ReadonlyMap<string, T[]>): [string, T[]] {
  const turn = (group: readonly T[]) => group[0]?.turnAtMs ?? Number.POSITIVE_INFINITY;
  return [...groups].reduce((oldest, next) => (turn(next[1]) < turn(oldest[1]) ? next : oldest));
}

function checkLength({ tokens }: Waiting, tokensMax: number) {
  if (tokens > tokensMax) throw new Failure("invalid_request", `An input of ${tokens} tokens does not fit into a batch of ${tokensMax}.`);
}

function full(): Failure {
  return new Failure("overloaded", "Too many inputs wait for a model. Try again shortly.", { retryAfterMs: RETRY_AFTER_MS });
}
