import { Failure } from "../../../base/failure.ts";
import type { Seat } from "./cache-pool.ts";
import type { Engine } from "./generator.ts";
import { closeChoice, failOrder, type Group, type LiveOrder } from "./live-order.ts";
import { type Reading, readPiece, startChoices } from "./read-prompt.ts";

/** Who waits, who reads, and who is under way. */
export type Schedule = {
  readonly engine: Engine;
  readonly orders: Map<string, LiveOrder>;
  waiting: Group[];
  /** One prompt at a time. */
  reading: Reading | undefined;
};

export function createSchedule(engine: Engine): Schedule {
  return { engine, orders: new Map(), waiting: [], reading: undefined };
}

export function waitingChoices({ waiting }: Schedule): number {
  return waiting.reduce((sum, { live }) => sum + live.order.n, 0);
}

/** A prompt that is being read has the rows of all its choices. */
export function reservedRows({ engine, reading }: Schedule): number {
  return engine.members.size + (reading?.group.live.order.n ?? 0);
}

export function reservedBytes({ engine, reading }: Schedule): number {
  const running = [...engine.members.values()].reduce((sum, { need }) => sum + need, 0);
  return running + (reading === undefined ? 0 : reading.need * reading.group.live.order.n);
}

/** Bytes that one choice of a prompt may come to need. */
export function needOf({ pool }: Engine, { plan, order }: LiveOrder, promptIndex: number): number {
  return pool.need((order.prompts[promptIndex]?.length ?? 0) + Math.max(1, plan.maxTokens[promptIndex] ?? 0));
}

/** Those whose time is over or whose callers left give back their rows; of whom nothing is left is forgotten. */
export function sweep(schedule: Schedule): void {
  const { engine, orders } = schedule;
  const nowMs = engine.clock.nowMs();
  for (const live of orders.values())
    if (live.addedAtMs + (live.order.withinMs ?? Number.POSITIVE_INFINITY) <= nowMs) endOrder(engine, live);
  for (const live of orders.values())
    if ((live.order.deadlineAtMs ?? Number.POSITIVE_INFINITY) <= nowMs)
      failOrder(live, new Failure("timeout", "The answer took longer than the request's time."));
  schedule.waiting = schedule.waiting.filter(({ live }) => !live.isOver);
  if (schedule.reading?.group.live.isOver) {
    engine.pool.leave(schedule.reading.seat);
    schedule.reading = undefined;
  }
  for (const [seat, { live }] of engine.members) if (live.isOver) leave(schedule, seat);
  for (const [id, live] of orders) if (live.isOver) orders.delete(id);
}

/** Ends an order with what it has said: choices that grow, and those that never got their turn. One that has said nothing is left to its deadline. */
function endOrder({ members }: Engine, live: LiveOrder): void {
  const growing = [...members.values()].filter((member) => member.live === live);
  const hasSaid = live.outputTokens.some((tokens) => tokens !== undefined) || growing.some(({ choice }) => choice.drawn() > 0);
  if (!hasSaid || live.isOver) return;
  for (const { choice, index } of growing) {
    choice.close();
    closeChoice(live, index, choice);
  }
  for (const [index, tokens] of live.outputTokens.entries()) {
    if (tokens !== undefined) continue;
    live.sink.event({ kind: "finished", choice: index, finish: { reason: "length" } });
    closeChoice(live, index, { drawn: () => 0 });
  }
}

export function leave({ engine }: Schedule, seat: Seat): void {
  engine.members.delete(seat);
  engine.pool.leave(seat);
}

/** Reads at most as many tokens of prompts as a step may; whose prompt is read gets a first token. */
export async function readPrompts(schedule: Schedule): Promise<void> {
  const { engine } = schedule;
  const { promptTokensPerStep } = engine.limits;
  let tokensLeft = promptTokensPerStep;
  while (tokensLeft > 0) {
    schedule.reading ??= admit(schedule);
    const { reading } = schedule;
    if (reading === undefined) return;
    const { live, prompt } = reading.group;
    tokensLeft -= await guard([live], () => readPiece(engine, reading), promptTokensPerStep);
    if (live.isOver) return sweep(schedule);
    if (reading.seat.length < prompt.length) continue;
    schedule.reading = undefined;
    await guard([live], () => startChoices(engine, reading), undefined);
    if (!engine.members.has(reading.seat)) engine.pool.leave(reading.seat);
  }
}

/** The next prompt, if there are rows and memory for all of its choices. */
function admit(schedule: Schedule): Reading | undefined {
  const { engine, waiting } = schedule;
  const [group] = waiting;
  if (group === undefined) return undefined;
  const need = needOf(engine, group.live, group.promptIndex);
  const { n } = group.live.order;
  const hasRows = reservedRows(schedule) + n <= engine.limits.rowsMax;
  const hasBytes = reservedBytes(schedule) + n * need <= engine.limits.cacheBytesMax;
  if (!hasRows || !hasBytes) return undefined;
  waiting.shift();
  group.live.startedAtMs ??= engine.clock.nowMs();
  return { group, need, seat: engine.pool.sit(group.prompt.length + 1), logprobs: [undefined] };
}

/** What goes wrong while some orders run is theirs alone, and told as such. */
export async function guard<T>(lives: readonly LiveOrder[], work: () => Promise<T>, otherwise: T): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const failure = cause instanceof Failure ? cause : new Failure("engine_failed", "The model failed.", { cause });
    for (const live of lives) failOrder(live, failure);
    return otherwise;
  }
}
