import { Failure } from "../../shared/base/failure.ts";
import type { CallLimits } from "../../shared/inference/contract.ts";
import type { Finish, GenerateEvent, GenerateRequest } from "../../shared/inference/generation.ts";
import type { ReadyVersion } from "../../shared/models/version.ts";
import type { Target } from "../catalog.ts";
import type { Deps } from "../deps.ts";
import { HEARTBEAT_MS, STREAM_TIMEOUT_MS } from "../limits.ts";
import type { Sizes } from "./admit.ts";
import { orNothing } from "./event-stream.ts";
import { brokenOff, type Generation, gather, outOfOrder, type Progress, progressOf, take } from "./generation.ts";
import { type MeteredSource, type Piece, streamMetered } from "./metered-stream.ts";
import { type Answered, type Meter, type Reached, underMeter } from "./metering.ts";
import type { Rendered } from "./rendered.ts";
import { type Candidate, type Chosen, runInOrder, startInOrder } from "./run.ts";
import { type Call, generationLeftMs, inferenceCall, nativeVersionOf, type Served, servedBy, silently } from "./serve.ts";
import { toldFailure } from "./told-failure.ts";
import { untilAborted } from "./until-aborted.ts";

export const EVENT_STREAM = "text/event-stream; charset=utf-8";

export type GenerationPlan = {
  /** From `chooseTarget`. */
  readonly target: Target;
  /** Builds the request for the version that is asked, which is the one that the split chose or its fallback; refuses what that version cannot do. */
  readonly ask: (version: ReadyVersion) => GenerateRequest;
};

export type WholePlan = GenerationPlan & {
  readonly render: (generation: Generation, version: ReadyVersion, request: GenerateRequest) => Rendered;
};

export type StreamPlan = GenerationPlan & {
  readonly renderer: (request: GenerateRequest, version: ReadyVersion) => StreamRenderer;
};

/** How a dialect writes a stream: every text is whole server-sent events, or empty. */
export type StreamRenderer = {
  /** Once the prompts are accepted. */
  readonly begun: () => string;
  readonly text: (event: Extract<GenerateEvent, { kind: "text" }>) => string;
  /** What is held back until the row is durable: how each choice finished, usage, and the mark of the end if there is one. */
  readonly end: (ending: Ending) => string;
  /** Undefined: our own fault, of which only the request id is told. */
  readonly failed: (failure: Failure | undefined) => string;
};

export type Ending = Omit<Generation, "choices"> & { readonly finishes: readonly Finish[] };

/**
 * A generation that is answered as a whole: gathered, rendered, settled, and only then answered. Until its first event it may be handed over to a fallback; after
 * that the pool is known to work on it, and whoever begins again has less time.
 */
export function serveGeneration(deps: Deps, call: Call, plan: WholePlan): Promise<Answered> {
  const { target } = plan;
  const how: Beginning = {
    signal: call.signal,
    timeoutMs: () => generationLeftMs(deps, call),
    endsWithinMs: (left) => endsWithinMs(call, left),
  };
  return underMeter(deps, call, {
    ...{ target, sizes: (version) => sizesOf(plan, version), isStreamed: false },
    async work(meter) {
      const ran = await runInOrder(deps, call, { target, attempt: (...asked) => begin(call, { plan, how }, asked) });
      const begun = ran.value;
      const served = servedBy(target, ran);
      const generation = await silently(deps, call, () => gather(eventsOf(begun), begun.progress));
      const rendered = plan.render(generation, ran.candidate.version, begun.request);
      return meter.answer({ ...reachedBy(served, begun), outcome: call.signal.aborted ? "cancelled" : "ok" }, rendered);
    },
  });
}

/**
 * A generation that is answered as it comes, its end held back until its row is durable (see `streamMetered`).
 * The first event decides the status: what is refused or fails before it is a plain failure and costs nothing. But a head that is silent for longer than
 * `HEARTBEAT_MS` is cut off by proxies, so after that time it leaves before the first event and failures are told in-band. It names who serves, so
 * it ends the search for a candidate.
 */
export function streamGeneration(
  deps: Deps,
  call: Call,
  plan: StreamPlan,
): Promise<Served & { readonly body: ReadableStream<Uint8Array> }> {
  const { target } = plan;
  return underMeter(deps, call, {
    ...{ target, sizes: (version) => sizesOf(plan, version), isStreamed: true },
    work: (meter) => startStream(deps, call, { plan, meter }),
  });
}

async function startStream(deps: Deps, call: Call, { plan, meter }: { plan: StreamPlan; meter: Meter }) {
  const stop = new AbortController();
  const longestMs = Math.min(STREAM_TIMEOUT_MS, call.withinMs ?? STREAM_TIMEOUT_MS);
  const streamLeftMs = () => longestMs - (deps.clock.nowMs() - call.acceptedAtMs);
  const how: Beginning = { signal: AbortSignal.any([call.signal, stop.signal]), timeoutMs: streamLeftMs };
  const { target } = plan;
  const attempt = (...asked: Asked) => begin(call, { plan, how }, asked);
  const running = startInOrder(deps, call, { target, attempt, decideWithinMs: HEARTBEAT_MS });
  const ran = await orNothing(running.ran, HEARTBEAT_MS);
  const chosen: Chosen = ran ?? running.decide() ?? (await running.ran);
  const { version } = chosen.candidate;
  const served = servedBy(target, chosen);
  const request = ran?.value.request ?? plan.ask(version);
  const renderer = plan.renderer(request, version);
  const first = running.ran.then(({ value }) => value);
  first.catch(() => {}); // whoever reads the stream is told; nobody does if its caller has left
  let begun: Begun | undefined;
  const source: MeteredSource = {
    pieces: piecesOf(
      first.then((value) => {
        begun = value;
        return value;
      }),
      renderer,
    ),
    meter,
    reached: () => reachedBy(served, begun ?? { request, progress: progressOf(request) }),
    hasBrought: () => begun?.progress.hasText ?? false,
    renderFailure: (cause) => renderer.failed(toldFailure(deps, call, cause)),
    stop: () => stop.abort(),
    signal: call.signal,
    contentType: EVENT_STREAM,
  };
  return { ...served, body: streamMetered(source) };
}

function sizesOf({ target, ask }: GenerationPlan, version = nativeVersionOf(target)): Sizes {
  const { tokensMax } = version.facts;
  const { prompts, n, maxTokens } = ask(version);
  const choices = prompts.length * n;
  return {
    ...{ task: "generate", inputs: prompts.length, choices },
    ...{ inputTokensMax: prompts.length * tokensMax, outputTokensMax: choices * (maxTokens ?? tokensMax) },
  };
}

/** How long the whole generation may take, asked when it begins, and what ends it. */
type Beginning = {
  readonly signal: AbortSignal;
  readonly timeoutMs: () => number;
  /** When it ends with what there is, of the time that is left; undefined where it has no such end. */
  readonly endsWithinMs?: (timeoutMs: number) => number | undefined;
};

/** Kept of a whole generation's time to write its answer and make its row durable. */
const ANSWER_MS = 2_000;
/** Of a short time a share, or nothing would be left to generate in. */
const ANSWER_SHARE = 0.2;

/**
 * Whoever waits for a whole answer gets what there is before its time is over, with `length` as the reason, and not an error after all the work; but who has said
 * in which time all has to be done gets all or nothing.
 */
function endsWithinMs({ withinMs }: Call, leftMs: number): number | undefined {
  return withinMs === undefined ? Math.max(1, Math.floor(leftMs - Math.min(ANSWER_MS, leftMs * ANSWER_SHARE))) : undefined;
}

/** A generation whose prompts are accepted. */
type Begun = {
  readonly request: GenerateRequest;
  readonly first: GenerateEvent;
  readonly events: AsyncGenerator<GenerateEvent, void>;
  readonly progress: Progress;
};

type Asked = [candidate: Candidate, limits: CallLimits];

/** The limits are those of the first event: a generation may last longer, but it has to begin in time. */
async function begin(call: Call, { plan, how }: { plan: GenerationPlan; how: Beginning }, [candidate, limits]: Asked): Promise<Begun> {
  const request = plan.ask(candidate.version);
  const timeoutMs = how.timeoutMs();
  const endsMs = how.endsWithinMs?.(timeoutMs);
  const asked = endsMs === undefined ? request : { ...request, withinMs: endsMs };
  const overdue = new AbortController();
  const signal = AbortSignal.any([how.signal, overdue.signal]);
  const source = candidate.pool.client.generate(inferenceCall(call, candidate, asked), { signal, timeoutMs });
  const events = untilAborted(source, signal);
  return { request, first: await firstEvent(events, limits.timeoutMs, overdue), events, progress: progressOf(request) };
}

async function firstEvent(events: AsyncGenerator<GenerateEvent, void>, waitMs: number, overdue: AbortController) {
  const due = setTimeout(() => overdue.abort(), waitMs);
  try {
    const { done, value } = await events.next();
    if (done) throw brokenOff();
    if (value.kind !== "begun") throw outOfOrder(value);
    return value;
  } catch (cause) {
    await events.return(); // where it has not ended by itself
    throw overdue.signal.aborted ? new Failure("timeout", "The model did not begin in time.", { cause }) : cause;
  } finally {
    clearTimeout(due);
  }
}

async function* eventsOf({ first, events }: Begun): AsyncGenerator<GenerateEvent, void> {
  yield first;
  yield* events;
}

async function* piecesOf(first: Promise<Begun>, renderer: StreamRenderer): AsyncGenerator<Piece, void> {
  const begun = await first;
  try {
    for await (const event of eventsOf(begun)) {
      take(begun.progress, event);
      yield pieceOf(event, begun.progress, renderer);
    }
    throw brokenOff();
  } finally {
    await begun.events.return();
  }
}

function pieceOf(event: GenerateEvent, { inputTokens, outputTokens, finishes }: Progress, renderer: StreamRenderer): Piece {
  switch (event.kind) {
    case "begun":
      return { text: renderer.begun(), isLast: false };
    case "text":
      return { text: renderer.text(event), isLast: false };
    case "finished":
      return { text: "", isLast: false };
    case "done":
      return { text: renderer.end({ inputTokens, outputTokens, finishes }), isLast: true };
  }
}

function reachedBy(served: Served, { request, progress }: Pick<Begun, "request" | "progress">): Reached {
  const { inputTokens, outputTokens, runMs } = progress;
  return {
    ...served,
    task: "generate",
    inputs: request.prompts.length,
    inputTokens: sumOf(inputTokens),
    outputTokens: sumOf(outputTokens),
    computeMs: Math.round(runMs),
  };
}

function sumOf(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0);
}
