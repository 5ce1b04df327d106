import type { Clock } from "../../base/clock.ts";
import { Failure } from "../../base/failure.ts";
import {
  type CallLimits,
  type ForwardRequest,
  type GenerationCall,
  type InferenceClient,
  type InferenceRequest,
  type InferenceResult,
  inputCountOf,
} from "../contract.ts";
import type { GenerateEvent } from "../generation.ts";
import { startingAfter } from "../runtime/generate/order.ts";
import { planForward } from "../runtime/tasks/forward.ts";
import { checkTask, planTask } from "../runtime/tasks/plan-task.ts";
import { type Admission, createAdmission } from "./admission.ts";
import { createGenerations, type Generations } from "./generations.ts";
import { whileTimeLasts } from "./limits.ts";
import type { Models, OpenModel } from "./models.ts";
import { encodePrompts } from "./prompts.ts";
import { createQuarantine, type Quarantine } from "./quarantine.ts";
import { type Caller, createScheduler, type Scheduler, type SchedulerLimits } from "./scheduler.ts";
import type { WorkerReports } from "./worker.ts";
import type { Workers } from "./workers.ts";

export type EngineParts = {
  readonly models: Models;
  readonly queue: SchedulerLimits;
  /** Generations that wait for a worker. */
  readonly generationsMax: number;
  readonly clock: Clock;
  readonly workerCount: number;
  readonly startWorkers: (reports: WorkerReports) => Workers;
};

export type Engine = InferenceClient & {
  /** Whether a worker is up. */
  readonly isReady: () => boolean;
  readonly untilReady: Promise<void>;
  readonly close: () => Promise<void>;
};

/** From a request to its answer: open the model, tokenise and plan, queue, run in workers, finish the task. */
export function createEngine({ models, queue, generationsMax, clock, workerCount, startWorkers }: EngineParts): Engine {
  const admission = createAdmission(queue.inputsMax);
  const quarantine = createQuarantine(clock);
  const workers = startWorkers({
    onIdle: () => {
      scheduler.pump();
      generations.pump();
    },
    onDeath: (models, reason) => {
      for (const model of models) quarantine.blame(model, reason);
    },
  });
  const scheduler = createScheduler({ queue, workers, workerCount, quarantine, clock, doubt: models.doubt });
  const generations = createGenerations({ waitingMax: generationsMax, workers, quarantine, clock });

  const parts: Running = { models, quarantine, scheduler, generations, admission, clock };
  return {
    async run(request, limits) {
      const leave = admission.enter(request.tenant, inputCountOf(request.body));
      const deadlineAtMs = clock.nowMs() + limits.timeoutMs;
      const { tenant } = request;
      return whileTimeLasts(limits, (signal) => run(parts, request, { tenant, signal, deadlineAtMs })).finally(leave);
    },
    generate: (call, limits) => generate(parts, call, limits),
    isReady: () => workers.isUp(),
    untilReady: workers.untilUp,
    close: async () => {
      await workers.close();
      await models.close();
    },
  };
}

type Running = {
  readonly models: Models;
  readonly quarantine: Quarantine;
  readonly scheduler: Scheduler;
  readonly generations: Generations;
  readonly admission: Admission;
  readonly clock: Clock;
};

async function open({ models, quarantine }: Running, { manifestDigest, dtype }: Pick<InferenceRequest, "manifestDigest" | "dtype">) {
  const model = await models.open(manifestDigest, dtype);
  quarantine.check(model.graph.key);
  return model;
}

async function run(parts: Running, request: InferenceRequest, caller: Caller): Promise<InferenceResult> {
  const model = await open(parts, request);
  const { body } = request;
  if (body.task === "forward") return forwardBare(parts.scheduler, { model, body, caller });
  const queued = parts.scheduler.letIn(model.graph, caller);
  const plan = await planTask(body, model, caller.signal).finally(queued);
  const { rows, queueMs, runMs } = await parts.scheduler.compute(model.graph, plan.inputs, caller);
  return { body: await plan.finish(rows), inputTokens: plan.inputTokens, queueMs, runMs };
}

type Bare = { readonly model: OpenModel; readonly body: ForwardRequest; readonly caller: Caller };

async function forwardBare(scheduler: Scheduler, { model, body, caller }: Bare): Promise<InferenceResult> {
  checkTask("forward", model.facts);
  const { feeds, fetches, inputTokens, finish } = planForward(body, model);
  const tokens = inputTokens.reduce((sum, count) => sum + count, 0);
  const { tensors, queueMs, runMs } = await scheduler.forward(model.graph, { feeds, fetches, tokens }, caller);
  return { body: finish(tensors), inputTokens, queueMs, runMs };
}

async function* generate(parts: Running, call: GenerationCall, limits: CallLimits): AsyncGenerator<GenerateEvent> {
  const leave = parts.admission.enter(call.tenant, call.body.prompts.length);
  const ending = new AbortController();
  const askedAtMs = parts.clock.nowMs();
  const deadlineAtMs = askedAtMs + limits.timeoutMs;
  const timer = setTimeout(() => ending.abort(), limits.timeoutMs);
  const signal = AbortSignal.any([limits.signal, ending.signal]);
  try {
    const model = await open(parts, call);
    const order = startingAfter(parts.clock.nowMs() - askedAtMs, await orderOf(model, call, signal));
    yield* parts.generations.start(model.graph, order, { tenant: call.tenant, signal, deadlineAtMs });
  } catch (error) {
    throw ending.signal.aborted ? tooLate(error) : error;
  } finally {
    clearTimeout(timer);
    leave();
  }
}

/** What the worker gets: token ids, whatever the caller gave. */
async function orderOf(model: OpenModel, { requestId, body }: GenerationCall, signal: AbortSignal) {
  const { facts } = model;
  if (facts.head !== "generate")
    throw new Failure("invalid_request", `The model does not generate text; it does ${facts.head}.`, { field: "model" });
  const { prompts, task: _, ...asked } = body;
  return { ...asked, id: requestId, prompts: await encodePrompts(model, prompts, signal) };
}

function tooLate(cause: unknown): Failure {
  return new Failure("timeout", "The model did not finish in time.", { cause });
}
