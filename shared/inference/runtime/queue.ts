import type { Clock } from "../../base/clock.ts";
import { Failure } from "../../base/failure.ts";
import { assembleBatch } from "./batch.ts";

/** One input that waits for a run. */
export type Waiting = {
  readonly tenant: string;
  /** Inputs of one model, file and all, may run together. */
  readonly group: string;
  readonly tokens: number;
  readonly isPadded: boolean;
  /** Of one tenant's inputs that whose turn is sooner goes first: the arrival of its request, and later for each further input of it. */
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
  /** Of one tenant; absent, whoever fills the queue counts them. */
  readonly tenantInputsMax?: number;
  readonly batchTokensMax: number;
  readonly batchInputsMax: number;
  /**
   * With so many tokens of a group a batch is full, although an input alone may be longer: more of them are no faster by the token, as on CPUs, where a larger
   * batch outgrows the caches. Absent where only size makes runs fast.
   */
  readonly batchTokensEnough?: (group: string) => number;
};

export type Queue<T extends Waiting> = {
  /** Takes all or none. Fails with `overloaded` when full, and with `invalid_request` for an input that no batch can hold. */
  readonly add: (inputs: readonly T[]) => void;
  /** The next batch for one of `idleWorkers`: the input of the tenant whose turn it is, and what runs well beside it; empty if nobody waits. */
  readonly take: (idleWorkers: number) => readonly T[];
  readonly size: () => number;
  /** Tokens by group that a tenant's next input would wait for: its own, and of each other tenant at most as many again. */
  readonly ahead: (tenant: string) => ReadonlyMap<string, number>;
};

const RETRY_AFTER_MS = 1_000;
/** Inputs that do not share a run gain nothing by going together but fewer messages; more of them would only make the next caller wait. */
const SEPARATE_TOKENS_MAX = 256;
/** What a tenant may run more whenever it is its turn (deficit round robin; Shreedhar and Varghese, 1995). */
const QUANTUM_TOKENS = 256;

/** A tenant's inputs in the order of their turns, and the tokens that it may run before the next tenant's turn; below 0 it has had more than its share. */
type Line<T> = { waiting: T[]; deficitTokens: number };

/**
 * Fair among tenants by tokens, whatever the number and size of their requests: tenants take turns, each with a quantum of tokens, and who leads a
 * batch is decided by that alone. The batch is filled with whatever runs well beside its leader, also of other tenants, and each pays for its own.
 */
export function createQueue<T extends Waiting>(limits: QueueLimits, clock: Clock): Queue<T> {
  // In the order of turns; whose turn is over goes to the end.
  const lines = new Map<string, Line<T>>();
  const size = () => [...lines.values()].reduce((sum, { waiting }) => sum + waiting.length, 0);

  /** Callers who left or whose time is over make room without being run. */
  function sweep() {
    const nowMs = clock.nowMs();
    for (const line of lines.values()) keep(line, (input) => !dismiss(input, nowMs));
    forgetEmpty(lines);
  }

  function hasRoom(inputs: readonly T[]): boolean {
    if (size() + inputs.length > limits.inputsMax) return false;
    const { tenantInputsMax } = limits;
    if (tenantInputsMax === undefined) return true;
    const waitingOf = (tenant: string) => lines.get(tenant)?.waiting.length ?? 0;
    return [...Map.groupBy(inputs, ({ tenant }) => tenant)].every(([tenant, added]) => waitingOf(tenant) + added.length <= tenantInputsMax);
  }

  return {
    size,
    ahead: (tenant) => aheadOf(lines, tenant),
    add(inputs) {
      for (const input of inputs) checkLength(input, limits.batchTokensMax);
      if (!hasRoom(inputs)) sweep();
      if (!hasRoom(inputs)) throw full();
      for (const [tenant, added] of Map.groupBy(inputs, (input) => input.tenant)) {
        const line = lines.get(tenant) ?? { waiting: [], deficitTokens: 0 };
        lines.set(tenant, line);
        line.waiting = [...line.waiting, ...added].sort((a, b) => a.turnAtMs - b.turnAtMs);
      }
    },
    take(idleWorkers) {
      sweep();
      const leader = nextLeader(lines);
      if (leader === undefined) return [];
      const group = membersOf(lines, leader);
      const batch = new Set(assembleBatch(group, { ...sharesOf(group, idleWorkers), isPadded: leader.isPadded }).map((at) => group[at]));
      for (const line of lines.values()) {
        const before = line.waiting;
        keep(line, (input) => !batch.has(input));
        if (line.waiting.length < before.length) line.deficitTokens -= tokensOf(before) - tokensOf(line.waiting);
      }
      forgetEmpty(lines);
      return group.filter((input) => batch.has(input));
    },
  };

  /** What one worker takes, so that several idle ones share what waits instead of one taking all. */
  function sharesOf(group: readonly T[], idleWorkers: number) {
    const [leader] = group;
    const share = Math.ceil(tokensOf(group) / Math.max(1, idleWorkers));
    const enough = limits.batchTokensEnough?.(leader?.group ?? "") ?? limits.batchTokensMax;
    const full = Math.min(limits.batchTokensMax, enough);
    const most = leader?.isPadded ? full : Math.min(full, SEPARATE_TOKENS_MAX);
    return { tokensMax: Math.max(Math.min(share, most), leader?.tokens ?? 0), inputsMax: limits.batchInputsMax };
  }
}

/** The first input of the tenant who may go: all get as many quanta as the nearest of them needs, and of those who may the first in turn goes. */
function nextLeader<T extends Waiting>(lines: Map<string, Line<T>>): T | undefined {
  if (lines.size === 0) return undefined;
  const quantaOf = ({ waiting, deficitTokens }: Line<T>) =>
    Math.max(0, Math.ceil(((waiting[0]?.tokens ?? 0) - deficitTokens) / QUANTUM_TOKENS));
  const quanta = Math.min(...[...lines.values()].map(quantaOf));
  for (const line of lines.values()) line.deficitTokens += quanta * QUANTUM_TOKENS;
  const found = [...lines].find(([, line]) => quantaOf(line) === 0);
  if (found === undefined) throw new Error("no tenant may go although each was given what the nearest needs");
  const [tenant, line] = found;
  const [leader] = line.waiting;
  // Whose next input costs more than what is left has had its turn.
  if ((line.waiting[1]?.tokens ?? Number.POSITIVE_INFINITY) > line.deficitTokens - (leader?.tokens ?? 0)) {
    lines.delete(tenant);
    lines.set(tenant, line);
  }
  return leader;
}

/** Who may run beside the leader, after it, by their turns. */
function membersOf<T extends Waiting>(lines: ReadonlyMap<string, Line<T>>, leader: T): T[] {
  const others = [...lines.values()].flatMap(({ waiting }) => waiting.filter((input) => input.group === leader.group && input !== leader));
  return [leader, ...others.sort((a, b) => a.turnAtMs - b.turnAtMs)];
}

function aheadOf<T extends Waiting>(lines: ReadonlyMap<string, Line<T>>, tenant: string): Map<string, number> {
  const ownTokens = tokensOf(lines.get(tenant)?.waiting ?? []);
  const ahead = new Map<string, number>();
  for (const [name, { waiting }] of lines) {
    let leftTokens = name === tenant ? Number.POSITIVE_INFINITY : ownTokens + QUANTUM_TOKENS;
    for (const { group, tokens } of waiting) {
      if (leftTokens <= 0) break;
      leftTokens -= tokens;
      ahead.set(group, (ahead.get(group) ?? 0) + tokens);
    }
  }
  return ahead;
}

const tokensOf = (inputs: readonly Waiting[]) => inputs.reduce((sum, { tokens }) => sum + tokens, 0);

/** Each input is asked about once: who is dismissed is told. */
function keep<T>(line: Line<T>, isKept: (input: T) => boolean): void {
  line.waiting = line.waiting.filter(isKept);
}

/** Who has nothing to run keeps no claim to have been idle, as the rule says; a debt is forgiven too, for it is less than a batch. */
function forgetEmpty<T>(lines: Map<string, Line<T>>): void {
  for (const [tenant, { waiting }] of lines) if (waiting.length === 0) lines.delete(tenant);
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

function checkLength({ tokens }: Waiting, tokensMax: number) {
  if (tokens > tokensMax) throw new Failure("invalid_request", `An input of ${tokens} tokens does not fit into a batch of ${tokensMax}.`);
}

function full(): Failure {
  return new Failure("overloaded", "Too many inputs wait for a model. Try again shortly.", { retryAfterMs: RETRY_AFTER_MS });
}
