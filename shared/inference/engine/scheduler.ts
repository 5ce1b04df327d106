import type { Clock } from "../../base/clock.ts";
import { Failure } from "../../base/failure.ts";
import type { PlannedInput, Rows } from "../runtime/plan.ts";
import { createQueue, type Queue, type QueueLimits, type Waiting } from "../runtime/queue.ts";
import type { Tensor } from "../runtime/session.ts";
import { createPace, type Pace, refuseHopeless } from "./pace.ts";
import type { Quarantine } from "./quarantine.ts";
import { failureOf } from "./worker.ts";
import type { Graph, WorkerAnswer, WorkerCall } from "./worker-protocol.ts";
import type { Workers } from "./workers.ts";

/** Who waits, and until when. */
export type Caller = Pick<Waiting, "tenant" | "signal" | "deadlineAtMs">;

/** Until the last of its inputs went to a worker, and what the batches with its inputs took together. */
export type Times = { readonly queueMs: number; readonly runMs: number };

export type Scheduler = {
  /**
   * Fails with `overloaded` for a caller whose time is over before his turn comes, by what requests for the model came with of late: his own inputs need not
   * be tokenised for that. Else he counts for those of his tenant who come after him, until what this answers is called: when they are queued, or given up.
   */
  readonly letIn: (graph: Graph, caller: Caller) => () => void;
  /** Computes the rows of each input, in order. Fails with `overloaded`, `invalid_request`, `timeout`, `cancelled`, `engine_failed` or `unavailable`. */
  readonly compute: (graph: Graph, inputs: readonly PlannedInput[], caller: Caller) => Promise<Times & { readonly rows: readonly Rows[] }>;
  /** The bare graph's outputs for these tensors; they run alone. */
  readonly forward: (
    graph: Graph,
    asked: BareCall,
    caller: Caller,
  ) => Promise<Times & { readonly tensors: Readonly<Record<string, Tensor>> }>;
  /** Gives batches to idle workers: whatever has queued while they ran, without any wait for more. */
  readonly pump: () => void;
};

export type BareCall = {
  readonly feeds: Readonly<Record<string, Tensor>>;
  readonly fetches: readonly string[];
  readonly tokens: number;
};

export type SchedulerLimits = Omit<QueueLimits, "batchTokensEnough"> & {
  /** A batch of so many tokens is full, or of more where a model is so fast that the way to a worker and back would count. Absent where only size makes runs fast. */
  readonly batchTokensEnough?: number;
  /** Whoever would wait longer is refused at once. */
  readonly waitMsMax: number;
};

export type SchedulerParts = {
  readonly queue: SchedulerLimits;
  readonly workers: Pick<Workers, "idleCount" | "run">;
  readonly workerCount: number;
  readonly quarantine: Quarantine;
  readonly clock: Clock;
  /** Told when a graph did not load. */
  readonly doubt: (graph: Graph) => void;
};

type Ran = Exclude<WorkerAnswer, { kind: "failed" }>;
/** One input on its way through queue and worker, and whom to tell. */
type Job = Waiting & {
  readonly graph: Graph;
  readonly work: { readonly kind: "run"; readonly input: PlannedInput } | { readonly kind: "forward"; readonly asked: BareCall };
  readonly done: (answer: Ran, place: { readonly index: number; readonly startedAtMs: number }) => void;
};

export function createScheduler(parts: SchedulerParts): Scheduler {
  const pace = createPace();
  const queue = createQueue<Job>(queueLimitsOf(parts.queue, pace), parts.clock);
  const checks = createChecks(queue, pace, parts);
  const pump = () => giveBatches(queue, pace, parts);
  let bareCount = 0;

  function enqueue(jobs: readonly Job[]) {
    const [first] = jobs;
    if (first !== undefined) checks.queued(first, jobs);
    queue.add(jobs);
    pump();
  }

  return {
    pump,
    letIn: checks.letIn,
    async compute(graph, inputs, caller) {
      const arrivedAtMs = parts.clock.nowMs();
      if (inputs.length === 0) return { rows: [], queueMs: 0, runMs: 0 }; // such as the keywords of a text without words
      return new Promise((resolve, reject) => {
        const collect = collectRows(inputs.length, arrivedAtMs, resolve);
        const shared = { ...caller, graph, group: graph.key, isPadded: graph.isBatched, refuse: reject };
        const turns = turnsOf(inputs, arrivedAtMs);
        const jobOf = (input: PlannedInput, index: number): Job => ({
          ...shared,
          work: { kind: "run", input },
          tokens: input.ids.length,
          turnAtMs: turns[index] ?? arrivedAtMs,
          done: (answer, place) => collect(index, answer, place),
        });
        enqueue(inputs.map(jobOf));
      });
    },
    forward(graph, asked, caller) {
      const arrivedAtMs = parts.clock.nowMs();
      return new Promise((resolve, reject) => {
        const done: Job["done"] = (answer, { startedAtMs }) => {
          if (answer.kind !== "tensors") return reject(new Error("a bare call was answered with rows"));
          resolve({ tensors: answer.tensors, queueMs: startedAtMs - arrivedAtMs, runMs: answer.runMs });
        };
        const work = { kind: "forward", asked } as const;
        const job = { ...caller, graph, isPadded: false, refuse: reject, work, done, tokens: asked.tokens, turnAtMs: arrivedAtMs };
        // A group of its own: it shares its run with nobody.
        enqueue([{ ...job, group: `${graph.key} bare ${bareCount++}` }]);
      });
    },
  };
}

/** A run that takes this long hides the way to its worker and back. */
const RUN_MS_ENOUGH = 20;

function queueLimitsOf({ batchTokensEnough: enough, ...limits }: SchedulerLimits, pace: Pace): QueueLimits {
  if (enough === undefined) return limits;
  const batchTokensEnough = (group: string) => {
    const msPerToken = pace.msFor(new Map([[group, 1]]));
    // A model that has not run yet has no pace.
    return msPerToken === 0 ? enough : Math.max(enough, Math.ceil(RUN_MS_ENOUGH / msPerToken));
  };
  return { ...limits, batchTokensEnough };
}

/** Refuses what would be answered too late: before it is tokenised, since under overload that alone would take what answers need, and when it is queued. */
function createChecks(queue: Queue<Job>, pace: Pace, { workerCount, clock, queue: { waitMsMax } }: SchedulerParts) {
  /** Those who are being tokenised. */
  const expected = new Set<{ readonly tenant: string; readonly group: string }>();

  function aheadMs(tenant: string): number {
    const tokensOf = new Map(queue.ahead(tenant));
    for (const each of expected) {
      if (each.tenant === tenant) tokensOf.set(each.group, (tokensOf.get(each.group) ?? 0) + pace.callTokens(each.group));
    }
    return pace.msFor(tokensOf) / workerCount;
  }

  function check({ tenant, deadlineAtMs }: Pick<Caller, "tenant" | "deadlineAtMs">, ownMs: number, isLetIn: boolean) {
    refuseHopeless(aheadMs(tenant), { leftMs: deadlineAtMs - ownMs - clock.nowMs(), waitMsMax, isLetIn });
  }

  function letIn({ key: group }: Graph, caller: Caller) {
    const own = { tenant: caller.tenant, group };
    // An idle pool takes anything, for what it says of itself may be old.
    if (queue.size() + expected.size > 0) check(caller, pace.msFor(new Map([[group, pace.callTokens(group)]])) / workerCount, false);
    expected.add(own);
    return () => expected.delete(own);
  }

  function queued({ graph, ...caller }: Job, own: readonly Job[]) {
    const tokens = own.reduce((sum, job) => sum + job.tokens, 0);
    pace.noteCall(graph.key, tokens);
    if (queue.size() > 0) check(caller, pace.msFor(new Map([[graph.key, tokens]])) / Math.min(workerCount, own.length), true);
  }

  return { letIn, queued };
}

/**
 * A request of thousands of inputs would hold up everybody of its tenant who comes after it, so each of its inputs queues as if it had come after
 * those before it were computed at 2,000 tokens a second. Whoever comes later than that waits behind it, so it is not put off for ever.
 */
function turnsOf(inputs: readonly PlannedInput[], arrivedAtMs: number): number[] {
  let tokensBefore = 0;
  return inputs.map(({ ids }) => {
    const turnAtMs = arrivedAtMs + tokensBefore * TURN_MS_PER_TOKEN;
    tokensBefore += ids.length;
    return turnAtMs;
  });
}

const TURN_MS_PER_TOKEN = 0.5;

/** The way to the worker and back counts, or a busy process would promise too much; but not what loading a model took. */
const HOPS_FACTOR_MAX = 2;

function giveBatches(queue: Queue<Job>, pace: Pace, parts: SchedulerParts) {
  for (let idle = parts.workers.idleCount(); idle > 0; idle -= 1) {
    const batch = queue.take(idle);
    const [first] = batch;
    if (first === undefined) return;
    void runBatch(parts, pace, { first, batch });
  }
}

async function runBatch(parts: SchedulerParts, pace: Pace, { first, batch }: { first: Job; batch: readonly Job[] }) {
  const startedAtMs = parts.clock.nowMs();
  try {
    const answer = await runCall(parts, callOf(first, batch));
    const tokens = batch.reduce((sum, job) => sum + job.tokens, 0);
    pace.note(first.graph.key, { tokens, ms: Math.min(parts.clock.nowMs() - startedAtMs, HOPS_FACTOR_MAX * answer.runMs) });
    for (const [index, job] of batch.entries()) job.done(answer, { index, startedAtMs });
  } catch (error) {
    const failure = error instanceof Failure ? error : new Failure("engine_failed", "The model could not be run.", { cause: error });
    for (const job of batch) job.refuse(failure);
  }
}

function callOf({ graph, work }: Job, batch: readonly Job[]): WorkerCall {
  if (work.kind === "forward") return { kind: "forward", graph, feeds: work.asked.feeds, fetches: work.asked.fetches };
  return { kind: "run", graph, inputs: batch.flatMap((job) => (job.work.kind === "run" ? [job.work.input] : [])) };
}

async function runCall({ workers, quarantine, doubt }: SchedulerParts, call: WorkerCall): Promise<Ran> {
  const answer = await workers.run(call);
  if (answer.kind !== "failed") {
    quarantine.clear(call.graph.key);
    return answer;
  }
  if (answer.stage === "load") doubt(call.graph);
  throw failureOf(answer);
}

/** Gathers a request's rows from the batches that its inputs went with, in whatever order they end. */
function collectRows(count: number, arrivedAtMs: number, resolve: (computed: Times & { readonly rows: readonly Rows[] }) => void) {
  const rows = new Array<Rows>(count);
  const batches = new Map<Ran, number>();
  let missing = count;
  const collect = (index: number, answer: Ran, place: { index: number; startedAtMs: number }) => {
    if (answer.kind === "rows") rows[index] = answer.rows[place.index] ?? { values: new Float32Array(), width: 0 };
    batches.set(answer, place.startedAtMs);
    missing -= 1;
    if (missing > 0) return;
    const startedAtMs = [...batches.values()].reduce((latest, atMs) => Math.max(latest, atMs), arrivedAtMs);
    const runMs = [...batches.keys()].reduce((sum, batch) => sum + batch.runMs, 0);
    resolve({ rows, queueMs: startedAtMs - arrivedAtMs, runMs });
  };
  return collect;
}
