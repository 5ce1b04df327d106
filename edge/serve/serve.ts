import { Failure } from "../../shared/base/failure.ts";
import type { InferenceResult, TaskRequest } from "../../shared/inference/contract.ts";
import type { Principal } from "../../shared/keys/principal.ts";
import type { ReadyVersion, Task } from "../../shared/models/version.ts";
import type { Tier, UsageRow } from "../../shared/usage/row.ts";
import type { Target } from "../catalog.ts";
import type { Deps, Pool } from "../deps.ts";
import { REQUEST_TIMEOUT_MS, SETTLE_TIMEOUT_MS } from "../limits.ts";

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
  /** Aborts when the caller leaves. */
  readonly signal: AbortSignal;
};

export type Served = { readonly version: number; readonly model: string; readonly arm: string; readonly tier: Tier };

export type Plan<T> = {
  /** Builds the task for the version that the split chose; refuses what that version cannot do. */
  readonly ask: (version: ReadyVersion) => TaskRequest;
  readonly render: (result: InferenceResult, version: ReadyVersion) => T;
};

/**
 * The heart, once for all dialects: pick the arm, run, render, settle, and only then answer.
 * Rendered before it is settled, so that a caller is never billed for an answer that we could not write.
 */
export async function serve<T>(deps: Deps, call: Call, plan: Plan<T>): Promise<Served & { readonly body: T }> {
  return serveTarget(deps, call, { ...plan, target: await chooseTarget(deps, call) });
}

/** The same for a target that the dialect has looked at already. */
export async function serveTarget<T>(
  deps: Deps,
  call: Call,
  plan: Plan<T> & { readonly target: Target },
): Promise<Served & { readonly body: T }> {
  const { target } = plan;
  const version = nativeVersionOf(target);
  const pool = poolOf(deps, version);
  const request = plan.ask(version);
  const result = await pool.client.run(
    {
      requestId: call.requestId,
      tenant: call.principal.tenant,
      model: version.model,
      version: version.number,
      manifestDigest: version.manifestDigest,
      dtype: version.placement.dtype,
      body: request,
    },
    { signal: call.signal, timeoutMs: remainingMs(deps, call) },
  );
  assertFinite(result);
  const body = plan.render(result, version);
  const served = { model: version.model, version: version.number, arm: target.arm, tier: pool.tier };
  await settle(deps, call, {
    ...served,
    task: request.task,
    outcome: call.signal.aborted ? "cancelled" : "ok",
    inputs: request.inputs.length,
    inputTokens: result.inputTokens.reduce((sum, tokens) => sum + tokens, 0),
    outputTokens: 0,
    computeMs: Math.round(result.runMs),
  });
  return { ...served, body };
}

/** Decides who answers, and refuses before any work what could not be metered. */
export async function chooseTarget(deps: Deps, call: Call): Promise<Target> {
  const target = await deps.catalog.resolve({ reference: call.reference, tenant: call.principal.tenant, unit: call.unit });
  deps.ledger.assertSoundClock();
  return target;
}

export type Metered = Served & Pick<UsageRow, "task" | "outcome" | "inputs" | "inputTokens" | "outputTokens" | "computeMs">;

/** Metered before it is answered: a caller never holds a result that we failed to bill. */
export async function settle(deps: Deps, call: Call, metered: Metered): Promise<void> {
  await deps.ledger.settle(
    {
      ...metered,
      requestId: call.requestId,
      tenant: call.principal.tenant,
      keyId: call.principal.keyId,
      servedVersion: metered.version,
      dialect: call.dialect,
      priceVersion: 0, // no price book exists yet; rating looks prices up by time
      fingerprint: call.fingerprint,
    },
    SETTLE_TIMEOUT_MS,
  );
}

/** Refuses a task that the version's head cannot do. */
export function assertTask(version: ReadyVersion, task: Task) {
  if (version.facts.task === task) return;
  const message = `The model '${version.model}@${version.number}' does '${version.facts.task}', not '${task}'.`;
  throw new Failure("invalid_request", message, { field: "model" });
}

/** A model may overflow, above all in fp16. JSON has no word for that, and nobody shall be billed for it. */
function assertFinite({ body }: InferenceResult) {
  const values = body.task === "embed" ? body.vectors : body.scores;
  if (values.every(Number.isFinite)) return;
  throw new Failure("engine_failed", "The model's answer is not a number.", { cause: new Error(`${body.task} gave NaN or an infinity`) });
}

export function remainingMs(deps: Deps, call: Call): number {
  const leftMs = call.acceptedAtMs + REQUEST_TIMEOUT_MS - deps.clock.nowMs();
  if (leftMs <= 0) throw new Failure("timeout", "The request ran out of time.");
  return leftMs;
}

/** The version if one of our own pools answers; foreign engines speak OpenAI's dialect only. */
export function nativeVersionOf(target: Target): ReadyVersion {
  if (target.version.state === "ready") return target.version;
  const message = `The model '${target.version.model}' is served by an OpenAI-compatible engine: call it under /v1.`;
  throw new Failure("unsupported", message, { field: "model" });
}

/** Where a version runs. */
export function poolOf(deps: Deps, version: ReadyVersion): Pool {
  const pool = deps.pools.get(version.placement.pool);
  if (pool !== undefined) return pool;
  throw new Failure(
    "unavailable",
    `The model '${version.model}@${version.number}' is placed on pool '${version.placement.pool}', which this gateway does not have.`,
  );
}
