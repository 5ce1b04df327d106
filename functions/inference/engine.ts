import type { Clock } from "../../shared/base/clock.ts";
import { Failure } from "../../shared/base/failure.ts";
import type { InferenceClient, InferenceRequest, InferenceResult } from "../../shared/inference/contract.ts";
import type { QueueLimits } from "../../shared/inference/runtime/queue.ts";
import { encodeInputs, finishTask } from "../../shared/inference/runtime/task.ts";
import { checkDimensions } from "../../shared/inference/runtime/tasks/embed.ts";
import { createAdmission } from "./admission.ts";
import { whileTimeLasts } from "./limits.ts";
import type { Models, OpenModel } from "./models.ts";
import { createQuarantine } from "./quarantine.ts";
import { type Caller, createScheduler } from "./scheduler.ts";
import type { Workers } from "./workers.ts";

export type EngineParts = {
  readonly models: Models;
  readonly queue: QueueLimits;
  readonly clock: Clock;
  /** Starts the workers, which say through `onIdle` when one can take a call. */
  readonly startWorkers: (onIdle: () => void) => Workers;
};

export type Engine = InferenceClient & {
  /** Whether a worker is up. */
  readonly isReady: () => boolean;
  readonly untilReady: Promise<void>;
  readonly close: () => Promise<void>;
};

/** From a request to its answer: open the model, tokenise, queue, run in workers, finish the task. */
export function createEngine({ models, queue, clock, startWorkers }: EngineParts): Engine {
  const admission = createAdmission(queue.inputsMax);
  const quarantine = createQuarantine(clock);
  const workers = startWorkers(() => scheduler.pump());
  const scheduler = createScheduler({ queue, workers, quarantine, clock, doubt: models.doubt });

  async function run({ manifestDigest, dtype, body }: InferenceRequest, caller: Caller): Promise<InferenceResult> {
    const model = await models.open(manifestDigest, dtype);
    quarantine.check(model.graph.key);
    checkRequest(body, model);
    const inputs = await encodeInputs(model.encoder, body, caller.signal);
    const { rows, queueMs, runMs } = await scheduler.compute(model.graph, inputs, caller);
    return { body: finishTask(rows, body, model.settings), inputTokens: inputs.map(({ ids }) => ids.length), queueMs, runMs };
  }

  return {
    async run(request, limits) {
      const leave = admission.enter(request.tenant, request.body.inputs.length);
      const deadlineAtMs = clock.nowMs() + limits.timeoutMs;
      return whileTimeLasts(limits, (signal) => run(request, { signal, deadlineAtMs })).finally(leave);
    },
    isReady: () => workers.isUp(),
    untilReady: workers.untilUp,
    close: () => workers.close(),
  };
}

/** What can be refused before any work is done. */
function checkRequest(body: InferenceRequest["body"], { facts }: OpenModel) {
  if (body.task !== facts.task)
    throw new Failure("invalid_request", `The model does not ${body.task}; its task is ${facts.task}.`, { field: "model" });
  if (body.task === "embed" && body.dimensions !== undefined) checkDimensions(body.dimensions, facts.dimensions ?? body.dimensions);
}
