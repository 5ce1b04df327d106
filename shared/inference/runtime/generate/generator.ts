import type { Clock } from "../../../base/clock.ts";
import { Failure } from "../../../base/failure.ts";
import type { ResponseFormat, Sampling } from "../../generation.ts";
import type { Session } from "../session.ts";
import type { Vocabulary } from "../vocabulary.ts";
import { createCachePool, type Seat } from "./cache-pool.ts";
import { decodeStep } from "./decode.ts";
import { type DecoderConfig, readDecoder } from "./decoder.ts";
import { groupsOf, type LiveOrder, type Member, openOrder } from "./live-order.ts";
import { type GenerateOrder, type Matcher, type OrderSink, planOrder } from "./order.ts";
import { probeDecoder } from "./probe.ts";
import {
  createSchedule,
  guard,
  leave,
  needOf,
  readPrompts,
  reservedBytes,
  reservedRows,
  type Schedule,
  sweep,
  waitingChoices,
} from "./schedule.ts";

export type GeneratorLimits = {
  /** Sequences that run side by side. */
  readonly rowsMax: number;
  /** Bytes of all caches together. */
  readonly cacheBytesMax: number;
  /** Choices that wait for a row. */
  readonly waitingChoicesMax: number;
  /** New tokens of all choices of one order together. */
  readonly orderTokensMax: number;
  /** Prompt tokens that are read between two steps of those that run; pieces are at most as long. */
  readonly promptTokensPerStep: number;
};

export type GeneratorOptions = {
  readonly session: Session;
  readonly config: DecoderConfig;
  readonly vocabulary: Vocabulary;
  /** Tokens that end an answer (`eos_token_id` of generation_config.json and config.json). */
  readonly endTokens: readonly number[];
  /** What generation_config.json says of sampling. */
  readonly defaults: Sampling;
  /** Whether rows may share a run: false for graphs that quantise by the range of the whole batch. */
  readonly isBatched: boolean;
  readonly limits: GeneratorLimits;
  readonly clock: Clock;
  /** Seeds for orders without one. */
  readonly nextSeed: () => number;
  /** Fails with `invalid_request` for a format that it cannot hold an answer to. */
  readonly startMatcher: (format: ResponseFormat) => Promise<Matcher>;
};

export type GeneratorStats = {
  /** Sequences with a row, and choices that wait for one. */
  readonly running: number;
  readonly waiting: number;
  readonly cacheBytes: number;
  /** What the running ones may come to need. */
  readonly reservedBytes: number;
  /** Since the start. */
  readonly promptTokens: number;
  readonly drawnTokens: number;
  readonly runMs: number;
};

/** Continuous batching over one decoder's session: orders join and leave between steps. Whoever owns it calls `step` while that answers true. */
export type Generator = {
  /**
   * Takes an order and tells its sink that it has begun. Fails, and says nothing to the sink, with `invalid_request` (its field), or `overloaded` when
   * too many choices wait.
   */
  readonly add: (order: GenerateOrder, sink: OrderSink) => Promise<void>;
  /** Frees what an order holds at the next step; its sink hears nothing more. An unknown order has ended already. */
  readonly cancel: (id: string) => void;
  /** Reads some tokens of newcomers' prompts, then draws a token for each that runs. Answers whether there is more to do. One at a time. */
  readonly step: () => Promise<boolean>;
  readonly stats: () => GeneratorStats;
};

/** What the parts of a step share. */
export type Engine = GeneratorOptions & {
  readonly decoder: ReturnType<typeof readDecoder>;
  readonly drive: Awaited<ReturnType<typeof probeDecoder>>;
  readonly pool: ReturnType<typeof createCachePool>;
  readonly ends: ReadonlySet<number>;
  readonly members: Map<Seat, Member>;
  readonly totals: { promptTokens: number; drawnTokens: number; runMs: number };
};

const RETRY_AFTER_MS = 1_000;

/** Reads the graph, tries how it keeps its cache, and starts with nothing to do. Fails with `invalid_request` if it cannot be driven. */
export async function createGenerator(options: GeneratorOptions): Promise<Generator> {
  const decoder = readDecoder(options.session, options.config);
  const engine: Engine = {
    ...options,
    decoder,
    drive: await probeDecoder(decoder),
    pool: createCachePool(decoder, options.limits.cacheBytesMax),
    ends: new Set(options.endTokens),
    members: new Map(),
    totals: { promptTokens: 0, drawnTokens: 0, runMs: 0 },
  };
  return createLoop(engine);
}

function createLoop(engine: Engine): Generator {
  const schedule = createSchedule(engine);
  return {
    add: (order, sink) => addOrder(schedule, order, sink),
    cancel(id) {
      const live = schedule.orders.get(id);
      if (live !== undefined) live.isOver = true;
    },
    async step() {
      sweep(schedule);
      await readPrompts(schedule);
      await decodeStep(engine, { guard, leave: (seat) => leave(schedule, seat) });
      sweep(schedule);
      return engine.members.size > 0 || schedule.reading !== undefined || schedule.waiting.length > 0;
    },
    stats: () => ({
      running: reservedRows(schedule),
      waiting: waitingChoices(schedule),
      cacheBytes: engine.pool.bytes(),
      reservedBytes: reservedBytes(schedule),
      ...engine.totals,
    }),
  };
}

async function addOrder(schedule: Schedule, order: GenerateOrder, sink: OrderSink): Promise<void> {
  const { engine, orders } = schedule;
  const plan = planOrder(order, engine.defaults, boundsOf(engine));
  if (orders.has(order.id)) throw new Error(`order ${order.id} is under way already`);
  if (waitingChoices(schedule) + order.prompts.length * order.n > engine.limits.waitingChoicesMax) throw full();
  const live = openOrder(order, sink, { plan, seed: order.sampling.seed ?? engine.nextSeed(), addedAtMs: engine.clock.nowMs() });
  checkNeed(engine, live);
  orders.set(order.id, live);
  try {
    if (order.format !== undefined) live.firstMatcher = await engine.startMatcher(order.format);
  } catch (error) {
    orders.delete(order.id);
    throw error;
  }
  if (live.isOver) return;
  sink.event({ kind: "begun", inputTokens: order.prompts.map((prompt) => prompt.length) });
  schedule.waiting.push(...groupsOf(live));
}

function boundsOf({ decoder, limits }: Engine) {
  return {
    contextTokensMax: decoder.tokensMax,
    vocabSize: decoder.vocabSize,
    rowsMax: limits.rowsMax,
    choicesMax: limits.waitingChoicesMax,
    orderTokensMax: limits.orderTokensMax,
  };
}

/** What could never be admitted is refused, or it would block the line for ever. */
function checkNeed(engine: Engine, live: LiveOrder): void {
  const { cacheBytesMax } = engine.limits;
  const most = live.order.prompts.reduce((sum, _, at) => Math.max(sum, needOf(engine, live, at) * live.order.n), 0);
  if (most <= cacheBytesMax) return;
  const why = `${live.order.n} choices of this length need ${most} bytes of cache, and the model has ${cacheBytesMax}.`;
  throw new Failure("invalid_request", why, { field: "maxTokens" });
}

function full(): Failure {
  return new Failure("overloaded", "Too many answers are being generated. Try again shortly.", { retryAfterMs: RETRY_AFTER_MS });
}
