import type { Clock } from "../../base/clock.ts";
import { Failure } from "../../base/failure.ts";
import type { GenerateEvent } from "../generation.ts";
import { type GenerateOrder, startingAfter } from "../runtime/generate/order.ts";
import { createQueue, type Queue, type Waiting } from "../runtime/queue.ts";
import type { Quarantine } from "./quarantine.ts";
import type { Caller } from "./scheduler.ts";
import type { Graph } from "./worker-protocol.ts";
import type { Workers } from "./workers.ts";

/** Gives generations to workers with room, fairly among tenants by tokens. */
export type Generations = {
  /** The events of an order. Fails with `overloaded`, `timeout` or `cancelled` while it waits, and in the middle with what ended it. */
  readonly start: (graph: Graph, order: GenerateOrder, caller: Caller) => ReadableStream<GenerateEvent>;
  readonly pump: () => void;
};

export type GenerationsParts = {
  /** Orders that wait for a worker. */
  readonly waitingMax: number;
  readonly workers: Pick<Workers, "hasRoom" | "generate">;
  readonly quarantine: Quarantine;
  readonly clock: Clock;
};

type Job = Waiting & { readonly start: () => void };

/** What an order that says no more than "up to the context's end" is thought to take of its tenant's turn, in tokens of each choice. */
const CHOICE_TOKENS_SUPPOSED = 256;

export function createGenerations(parts: GenerationsParts): Generations {
  const { waitingMax, workers, clock } = parts;
  const limits = { inputsMax: waitingMax, tenantInputsMax: Math.ceil(waitingMax / 2) };
  const queue = createQueue<Job>({ ...limits, batchTokensMax: Number.POSITIVE_INFINITY, batchInputsMax: 1 }, clock);
  let startedCount = 0;

  function pump() {
    while (workers.hasRoom()) {
      const [job] = queue.take(1);
      if (job === undefined) return;
      job.start();
    }
  }

  const line: Line = { ...parts, queue, pump, nextNumber: () => startedCount++ };
  return { pump, start: (graph, order, caller) => streamOf(line, { graph, order, caller }) };
}

type Line = GenerationsParts & { readonly queue: Queue<Job>; readonly pump: () => void; readonly nextNumber: () => number };
type Asked = { readonly graph: Graph; readonly order: GenerateOrder; readonly caller: Caller };

function streamOf(line: Line, asked: Asked): ReadableStream<GenerateEvent> {
  const running: Running = { stop: () => {}, isOver: false };
  return new ReadableStream<GenerateEvent>({
    start: (controller) => enqueue(line, asked, { running, controller }),
    cancel() {
      running.isOver = true;
      running.stop();
      line.pump();
    },
  });
}

type Running = { stop: () => void; isOver: boolean };
type Stream = { readonly running: Running; readonly controller: ReadableStreamDefaultController<GenerateEvent> };

function enqueue(line: Line, asked: Asked, { running, controller }: Stream) {
  const arrivedAtMs = line.clock.nowMs();
  const end = (failure: Failure) => {
    if (running.isOver) return;
    running.isOver = true;
    running.stop();
    controller.error(failure);
  };
  const left = () => {
    end(new Failure("cancelled", "The caller left."));
    line.pump(); // its room is the next one's
  };
  const event = (said: GenerateEvent, queueMs: number) => {
    if (running.isOver) return;
    controller.enqueue(said.kind === "done" ? { ...said, queueMs: said.queueMs + queueMs } : said);
    if (said.kind !== "done") return;
    running.isOver = true;
    line.quarantine.clear(asked.graph.key);
    controller.close();
  };
  const start = () => {
    if (running.isOver) return;
    const queueMs = line.clock.nowMs() - arrivedAtMs;
    // A name of its own: a request that is sent again may come while its first sending is yet to be cancelled.
    const order = { ...startingAfter(queueMs, asked.order), id: `${asked.order.id} ${line.nextNumber()}` };
    running.stop = line.workers.generate(asked.graph, order, { event: (said) => event(said, queueMs), fail: end });
  };
  asked.caller.signal.addEventListener("abort", left, { once: true });
  line.queue.add([{ ...asked.caller, ...costOf(asked), turnAtMs: arrivedAtMs, refuse: end, start }]);
  line.pump();
}

function costOf({ graph: { key }, order: { prompts, n, maxTokens } }: Asked): Pick<Waiting, "group" | "tokens" | "isPadded"> {
  const promptTokens = prompts.reduce((sum, ids) => sum + ids.length, 0);
  const answerTokens = prompts.length * n * Math.min(maxTokens ?? CHOICE_TOKENS_SUPPOSED, CHOICE_TOKENS_SUPPOSED);
  return { group: key, tokens: promptTokens + answerTokens, isPadded: false };
}
