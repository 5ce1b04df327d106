import type { Seat } from "./cache-pool.ts";
import { type Choice, createChoice } from "./choice.ts";
import type { Engine } from "./generator.ts";
import { closeChoice, type Group } from "./live-order.ts";
import { createRandom } from "./random.ts";
import { type Logits, logitsAt, runRows } from "./run.ts";
import { type Ranked, rankOf } from "./teller.ts";

/** A prompt that is being read, piece by piece. */
export type Reading = {
  readonly group: Group;
  readonly seat: Seat;
  /** Bytes that each of its choices may come to need. */
  readonly need: number;
  /** Of the prompt's tokens, where an echo wants them; nothing precedes the first. */
  readonly logprobs: (Ranked | undefined)[];
  /** After its last token. */
  last?: Float32Array;
};

/**
 * Reads the next piece of a prompt and answers with its tokens. Pieces begin at multiples of the same number whatever else runs, or a prompt's
 * numbers would depend on its company.
 */
export async function readPiece(engine: Engine, reading: Reading): Promise<number> {
  const { drive, limits, totals, clock } = engine;
  const { group, seat } = reading;
  const start = seat.length;
  const size = drive.readsPieces ? limits.promptTokensPerStep : group.prompt.length;
  const tokens = group.prompt.subarray(start, start + size);
  const isLast = start + tokens.length === group.prompt.length;
  const scores = group.live.order.echo === true && group.live.order.topLogprobs !== undefined;
  const startedAtMs = clock.nowMs();
  const logits = await runRows(drive.mode, {
    lane: seat.lane,
    first: seat.row,
    lengths: [start],
    tokens: [tokens],
    logits: scores ? "all" : isLast ? "last" : "none",
  });
  const ranMs = clock.nowMs() - startedAtMs;
  group.live.runMs += ranMs;
  totals.runMs += ranMs;
  totals.promptTokens += tokens.length;
  seat.length += tokens.length;
  if (scores && logits !== undefined) rankPrompt(reading, logits, { start, size: tokens.length });
  if (isLast && logits !== undefined) reading.last = logitsAt(logits, 0, 1);
  return tokens.length;
}

/** The logits after a token say how likely the next one was. */
function rankPrompt({ group, logprobs }: Reading, logits: Logits, { start, size }: { start: number; size: number }): void {
  for (let at = 0; at < size; at += 1) {
    const next = group.prompt[start + at + 1];
    if (next !== undefined) logprobs.push(rankOf(logitsAt(logits, 0, size - at), next, group.live.order.topLogprobs ?? 0));
  }
}

/** Gives each choice of a prompt that has been read its first token, and a row of its own; the prompt's row goes to the first that needs one. */
export async function startChoices(engine: Engine, reading: Reading): Promise<void> {
  const { group, last } = reading;
  const { live, promptIndex } = group;
  if (last === undefined) throw new Error("a prompt has been read once its last logits are known");
  const maxTokens = live.plan.maxTokens[promptIndex] ?? 0;
  let isTaken = false;
  for (let at = 0; at < live.order.n && !live.isOver; at += 1) {
    const index = promptIndex * live.order.n + at;
    const choice = await openChoice(engine, group, { index, maxTokens });
    if (live.order.echo === true) choice.echo(reading.logprobs);
    if (maxTokens === 0) choice.close();
    else choice.draw(last);
    engine.totals.drawnTokens += choice.drawn();
    if (choice.isFinished()) {
      closeChoice(live, index, choice);
      continue;
    }
    const seat = isTaken ? engine.pool.fork(reading.seat) : reading.seat;
    isTaken = true;
    engine.members.set(seat, { live, choice, index, seat, need: reading.need });
  }
}

async function openChoice(
  engine: Engine,
  { live, prompt }: Group,
  { index, maxTokens }: { index: number; maxTokens: number },
): Promise<Choice> {
  const { order, plan, seed, firstMatcher } = live;
  live.firstMatcher = undefined;
  return createChoice({
    index,
    prompt,
    maxTokens,
    rules: plan.rules,
    random: createRandom(seed, index),
    stop: order.stop,
    topLogprobs: order.topLogprobs,
    matcher: order.format === undefined ? undefined : (firstMatcher ?? (await engine.startMatcher(order.format))),
    vocabulary: engine.vocabulary,
    endTokens: engine.ends,
    sink: live.sink.event,
  });
}
