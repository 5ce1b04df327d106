import { Failure } from "../../shared/base/failure.ts";
import {
  type CallLimits,
  type InferenceCall,
  type InferenceResult,
  inputCountOf,
  type TaskRequest,
} from "../../shared/inference/contract.ts";
import { PLANNED_INPUTS_MAX } from "../../shared/inference/runtime/tasks/limits.ts";
import type { Principal } from "../../shared/keys/principal.ts";
import { type Task, tasksOf } from "../../shared/models/tasks.ts";
import type { ReadyVersion } from "../../shared/models/version.ts";
import type { Tier, UsageRow } from "../../shared/usage/row.ts";
import type { Target } from "../catalog.ts";
import type { Deps, Pool } from "../deps.ts";
import { SETTLE_TIMEOUT_MS } from "../limits.ts";
import { READ_ONLY, type Sizes } from "./admit.ts";
import { type Answered, type Metered, underMeter } from "./metering.ts";
import type { Once } from "./once.ts";
import type { Rendered } from "./rendered.ts";
import { type Candidate, type Chosen, runInOrder } from "./run.ts";

/** What every dialect knows of a request once it has read it. */
export type Call = {
  readonly requestId: string;
  readonly acceptedAtMs: number;
  readonly principal: Principal;
  readonly dialect: UsageRow["dialect"];
  /** The model reference as the caller wrote it. */
  readonly reference: string;
  /** What sticks to an arm. */
  readonly unit: string;
  readonly fingerprint: string;
  readonly bodyBytes: number;
  /** Says a header of the answer, whether it is one or a refusal. */
  readonly tell: (name: string, value: string) => void;
  /** Aborts when the caller leaves. */
  readonly signal: AbortSignal;
  /** How long the caller waits for an answer or a stream's beginning, counted from `acceptedAtMs`. */
  readonly timeoutMs: number;
  /** How long it would wait, as far as it says so: a whole generation may take longer than other answers. */
  readonly patienceMs: number;
  /** Says how long its connection may be silent, where that is longer than connections may be else. */
  readonly mayBeSilentFor: (ms: number) => void;
  /** In which all has to be done, a stream too, where the caller has said so: all or nothing. */
  readonly withinMs?: number;
  /** `Weir-Max-Cost` as the caller wrote it: what the request may cost. */
  readonly maxCost?: string | undefined;
  /** Whether its answer brings a signed receipt. */
  readonly wantsReceipt?: boolean;
  /** With an Idempotency-Key: what sees to it that it is answered once. */
  readonly once?: Once;
};

export type Served = {
  readonly model: string;
  /** The version that answered, and the one that the split assigned. */
  readonly version: number;
  readonly assignedVersion: number;
  readonly arm: string;
  readonly tier: Tier;
  /** Why a fallback answered; absent if none did. */
  readonly degraded?: string | undefined;
};

export type Plan = {
  /** Builds the task for the version that is asked, which is the one that the split chose or its fallback; refuses what that version cannot do. */
  readonly ask: (version: ReadyVersion) => TaskRequest;
  readonly render: (result: InferenceResult, version: ReadyVersion) => Rendered;
};

/**
 * The heart, once for all dialects: pick the arm, run or degrade, render, settle, and only then answer.
 * Rendered before it is settled, so that a caller is never billed for an answer that we could not write.
 */
export async function serve(deps: Deps, call: Call, plan: Plan): Promise<Answered> {
  return serveTarget(deps, call, { ...plan, target: await chooseTarget(deps, call) });
}

/** The same for a target that the dialect has looked at already. */
export async function serveTarget(deps: Deps, call: Call, plan: Plan & { readonly target: Target }): Promise<Answered> {
  const { target } = plan;
  const sizes = (version = nativeVersionOf(target)) => sizesOf(plan.ask(version), version);
  return underMeter(deps, call, {
    ...{ target, sizes, isStreamed: false },
    async work(meter) {
      const ran = await runInOrder(deps, call, { target, attempt: (candidate, limits) => attempt(call, plan, { candidate, limits }) });
      const { request, result } = ran.value;
      const rendered = plan.render(result, ran.candidate.version);
      const metered: Metered = {
        ...servedBy(target, ran),
        task: request.task,
        outcome: call.signal.aborted ? "cancelled" : "ok",
        inputs: inputCountOf(request),
        inputTokens: result.inputTokens.reduce((sum, tokens) => sum + tokens, 0),
        outputTokens: 0,
        computeMs: Math.round(result.runMs),
      };
      return meter.answer(metered, rendered);
    },
  });
}

function sizesOf(request: TaskRequest, { facts }: ReadyVersion): Sizes {
  return { task: request.task, inputs: inputCountOf(request), inputTokensMax: readsMaxOf(request) * facts.tokensMax, ...READ_ONLY };
}

/** How often the model reads as much as it can at once, at most: long texts of some tasks are read in windows or with each label. */
function readsMaxOf(request: TaskRequest): number {
  switch (request.task) {
    case "embed":
    case "classify":
    case "detect":
    case "fill":
      return inputCountOf(request);
    case "rerank":
      return request.documents.length + 1; // the query is read once more where texts are compared by their vectors
    case "zero-shot":
      return request.texts.length * (request.labels.length + 1);
    case "forward":
      return Number.POSITIVE_INFINITY;
    default:
      return PLANNED_INPUTS_MAX;
  }
}

type Asking = { readonly candidate: Candidate; readonly limits: CallLimits };
type Attempted = { readonly request: TaskRequest; readonly result: InferenceResult };

/** Built anew for each candidate: versions differ in what they take. */
async function attempt(call: Call, { ask }: Pick<Plan, "ask">, { candidate, limits }: Asking): Promise<Attempted> {
  const request = ask(candidate.version);
  const result = await candidate.pool.client.run(inferenceCall(call, candidate, request), limits);
  assertFinite(result);
  return { request, result };
}

/** What a pool is asked. */
export function inferenceCall<Body>({ requestId, principal }: Call, { version, dtype }: Candidate, body: Body): InferenceCall<Body> {
  const { model, number, manifestDigest } = version;
  return { requestId, tenant: principal.tenant, model, version: number, manifestDigest, dtype, body };
}

export function servedBy(target: Target, { candidate, degraded }: Chosen): Served {
  const { version, pool } = candidate;
  const assignedVersion = target.version.number;
  return { model: version.model, version: version.number, assignedVersion, arm: target.arm, tier: pool.tier, degraded };
}

/** Decides who answers, and refuses before any work what could not be metered. */
export async function chooseTarget(deps: Deps, call: Call): Promise<Target> {
  const target = await deps.catalog.resolve({ reference: call.reference, caller: call.principal, unit: call.unit });
  deps.ledger.assertSoundClock();
  return target;
}

/** Refuses a task that the version's head cannot do. */
export function assertTask(version: ReadyVersion, task: Task) {
  const tasks = tasksOf(version.facts);
  if (tasks.includes(task)) return;
  const message = `The model '${version.model}@${version.number}' does ${tasks.map((each) => `'${each}'`).join(", ")}, not '${task}'.`;
  throw new Failure("invalid_request", message, { field: "model" });
}

/** A model may overflow, above all in fp16. JSON has no word for that, and nobody shall be billed for it. */
function assertFinite({ body }: InferenceResult) {
  if (valuesOf(body).every(Number.isFinite)) return;
  throw new Failure("engine_failed", "The model's answer is not a number.", { cause: new Error(`${body.task} gave NaN or an infinity`) });
}

function valuesOf(body: InferenceResult["body"]): Float32Array | readonly number[] {
  switch (body.task) {
    case "embed":
      return body.vectors;
    case "classify":
    case "rerank":
      return body.scores;
    case "fill":
      return body.items.flat(2).map(({ score }) => score);
    case "summarize":
      return body.items.flatMap(({ sentences }) => sentences.map(({ score }) => score));
    case "forward":
      return []; // a bare graph's masks may well hold infinities: a dialect that cannot write them refuses
    default:
      return body.items.flatMap((items) => items.map(({ score }) => score));
  }
}

/** Milliseconds until the caller gives up; negative once it has. */
export function leftMs(deps: Pick<Deps, "clock">, call: Call): number {
  return call.acceptedAtMs + call.timeoutMs - deps.clock.nowMs();
}

/** The same for a generation that is answered as a whole. */
export function generationLeftMs({ clock, config }: Pick<Deps, "clock" | "config">, call: Call): number {
  const longestMs = Math.min(call.patienceMs, config.WEIR_GENERATION_SECONDS * 1_000);
  return call.acceptedAtMs + longestMs - clock.nowMs();
}

/** Waits for a whole generation, which may be long for a connection on which nothing moves; its answer may not. */
export async function silently<T>(deps: Pick<Deps, "clock" | "config">, call: Call, work: () => Promise<T>): Promise<T> {
  call.mayBeSilentFor(generationLeftMs(deps, call) + SETTLE_TIMEOUT_MS);
  try {
    return await work();
  } finally {
    call.mayBeSilentFor(0);
  }
}

export function remainingMs(deps: Pick<Deps, "clock">, call: Call): number {
  const left = leftMs(deps, call);
  if (left <= 0) throw new Failure("timeout", "The request ran out of time.");
  return left;
}

/** The version if one of our own pools answers; foreign engines speak OpenAI's dialect only. */
export function nativeVersionOf(target: Target): ReadyVersion {
  if (target.version.state === "ready") return target.version;
  const message = `The model '${target.version.model}' is served by an OpenAI-compatible engine: call it under /v1.`;
  throw new Failure("unsupported", message, { field: "model" });
}

/** Where a version runs: in its own place unless a fallback names another pool. */
export function poolOf(deps: Pick<Deps, "pools">, version: ReadyVersion, name = version.placement.pool): Pool {
  const pool = deps.pools.get(name);
  if (pool !== undefined) return pool;
  const message = `The model '${version.model}@${version.number}' is placed on pool '${name}', which this gateway does not have.`;
  throw new Failure("unavailable", message);
}
