import { setTimeout as sleep } from "node:timers/promises";
import { Failure } from "../../shared/base/failure.ts";
import { median, percentile } from "./load.ts";
import { type MiniLm, startMiniLm, textOf } from "./minilm.ts";
import { keepOnCore } from "./processes.ts";

const GOODPUT_BAR = 0.9;
const REFUSAL_MS_BAR = 50;
const LOAD_FACTOR = 3;
const TOKENS = 64;
const CALLERS = 64;
/** Peak and overload take turns, since the machine may be another one a few seconds later. */
const ROUNDS = 3;
const PEAK_MS = 3_000;
const OVERLOAD_MS = 5_000;
/** What fills the queue before anything counts: until then nothing has to be refused. */
const FILLING_MS = 3_000;
/** How long a caller is willing to wait. */
const PATIENCE_MS = 3_000;

type Seen = { answeredAtMs: number[]; refusedMs: number[]; late: number; retryAfterMissing: number };

/**
 * Three times as many requests as the function can answer, sent whether or not earlier ones were answered, by callers of limited patience. What is
 * answered in time is compared with what closed-loop callers got at the peak; what is refused must be refused at once, and say when to come back. They ask as
 * a gateway does, which keeps to itself most of what would be refused.
 *
 * The function, with one worker, has a core of its own and so have the callers: refusals cost the function what they cost it, but who is refused would otherwise
 * take his own work, three times as much of it as at the peak, off the function's cores.
 */
export async function benchOverload(): Promise<void> {
  const weir = await startMiniLm({ WEIR_WORKERS: "1" });
  try {
    const isApart = keepOnCore(0, weir.pids()) && keepOnCore(1, [process.pid]);
    if (!isApart) console.log("callers and function share their cores: this machine cannot keep them apart");
    const measurePeak = () => weir.tokensPerSecond({ callers: CALLERS, ms: PEAK_MS, nextTexts: () => [textOf(TOKENS)] });
    const peaks = [await measurePeak()];
    const rounds: Round[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const before = peaks.at(-1) ?? 0;
      const { seen, goodput } = await overload(weir, (LOAD_FACTOR * before) / TOKENS);
      const after = await measurePeak();
      peaks.push(after);
      rounds.push({ seen, goodput, peak: (before + after) / 2 });
    }
    report(rounds);
  } finally {
    await weir.close();
  }
}

type Round = { readonly seen: Seen; readonly goodput: number; readonly peak: number };

async function overload(weir: MiniLm, perSecond: number): Promise<Omit<Round, "peak">> {
  const seen: Seen = { answeredAtMs: [], refusedMs: [], late: 0, retryAfterMissing: 0 };
  const startedAtMs = performance.now();
  const inFlight: Promise<void>[] = [];
  for (let sent = 0; performance.now() - startedAtMs < FILLING_MS + OVERLOAD_MS; ) {
    const due = Math.floor(((performance.now() - startedAtMs) / 1_000) * perSecond);
    for (; sent < due; sent += 1) inFlight.push(ask(weir, seen));
    await sleep(5);
  }
  await Promise.all(inFlight);
  const fromMs = startedAtMs + FILLING_MS;
  const answered = seen.answeredAtMs.filter((atMs) => atMs >= fromMs && atMs < fromMs + OVERLOAD_MS).length;
  return { seen, goodput: (answered * TOKENS) / (OVERLOAD_MS / 1_000) };
}

async function ask(weir: MiniLm, seen: Seen): Promise<void> {
  const sentAtMs = performance.now();
  try {
    await weir.embed([textOf(TOKENS)], PATIENCE_MS);
    seen.answeredAtMs.push(performance.now());
  } catch (error) {
    if (!(error instanceof Failure) || (error.status !== 429 && error.status !== 503)) {
      seen.late += 1;
      return;
    }
    seen.refusedMs.push(performance.now() - sentAtMs);
    if (error.retryAfterMs === undefined) seen.retryAfterMissing += 1;
  }
}

function report(rounds: readonly Round[]) {
  const refusals = rounds.flatMap(({ seen }) => seen.refusedMs).sort((a, b) => a - b);
  const [p50, p99] = [percentile(refusals, 0.5), percentile(refusals, 0.99)];
  const late = rounds.reduce((sum, { seen }) => sum + seen.late, 0);
  const timeless = rounds.reduce((sum, { seen }) => sum + seen.retryAfterMissing, 0);
  for (const { peak, goodput } of rounds)
    console.log(
      `texts of ${TOKENS} tokens; peak ${Math.round(peak)} tokens/s, at ${LOAD_FACTOR}x load ${Math.round(goodput)} answered in time`,
    );
  console.log(
    `refused ${refusals.length} (p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, ${timeless} without a time), timed out ${late}`,
  );
  console.log(`bench overload ratio=${median(rounds.map(({ goodput, peak }) => goodput / peak)).toFixed(2)} bar=${GOODPUT_BAR}`);
  console.log(`bench overload-refusal ratio=${(REFUSAL_MS_BAR / p99).toFixed(2)} bar=1`);
}
