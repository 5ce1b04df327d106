import { setTimeout as sleep } from "node:timers/promises";
import { Failure } from "../../shared/base/failure.ts";
import { percentile } from "./load.ts";
import { startMiniLm, textOf } from "./minilm.ts";

const GOODPUT_BAR = 0.9;
const REFUSAL_MS_BAR = 50;
const LOAD_FACTOR = 3;
const TOKENS = 64;
const CALLERS = 64;
const PEAK_MS = 6_000;
const OVERLOAD_MS = 12_000;
/** What fills the queue before anything counts: until then nothing has to be refused. */
const FILLING_MS = 6_000;
/** How long a caller is willing to wait. */
const PATIENCE_MS = 3_000;

type Seen = { answeredAtMs: number[]; refusedMs: number[]; late: number; retryAfterMissing: number };

/**
 * Three times as many requests as the function can answer, sent whether or not earlier ones were answered, by callers of limited patience. What is
 * answered in time is compared with what closed-loop callers got at the peak; what is refused must be refused at once, and say when to come back.
 */
export async function benchOverload(): Promise<void> {
  const weir = await startMiniLm();
  try {
    const peak = await weir.tokensPerSecond({ callers: CALLERS, ms: PEAK_MS, nextTexts: () => [textOf(TOKENS)] });
    const perSecond = (LOAD_FACTOR * peak) / TOKENS;
    const seen: Seen = { answeredAtMs: [], refusedMs: [], late: 0, retryAfterMissing: 0 };
    const startedAtMs = performance.now();
    const inFlight: Promise<void>[] = [];
    for (let sent = 0; performance.now() - startedAtMs < FILLING_MS + OVERLOAD_MS; ) {
      const due = Math.floor(((performance.now() - startedAtMs) / 1_000) * perSecond);
      for (; sent < due; sent += 1) inFlight.push(ask(weir, seen));
      await sleep(5);
    }
    await Promise.all(inFlight);
    report(peak, seen, { fromMs: startedAtMs + FILLING_MS, toMs: startedAtMs + FILLING_MS + OVERLOAD_MS });
  } finally {
    await weir.close();
  }
}

async function ask(weir: Awaited<ReturnType<typeof startMiniLm>>, seen: Seen): Promise<void> {
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

function report(
  peak: number,
  { answeredAtMs, refusedMs, late, retryAfterMissing }: Seen,
  { fromMs, toMs }: { fromMs: number; toMs: number },
) {
  const answered = answeredAtMs.filter((atMs) => atMs >= fromMs && atMs < toMs).length;
  const goodput = (answered * TOKENS) / ((toMs - fromMs) / 1_000);
  const refusals = refusedMs.sort((a, b) => a - b);
  const [p50, p99] = [percentile(refusals, 0.5), percentile(refusals, 0.99)];
  console.log(
    `MiniLM int8, texts of ${TOKENS} tokens; peak ${Math.round(peak)} tokens/s, at ${LOAD_FACTOR}x load ${Math.round(goodput)} answered in time`,
  );
  console.log(
    `refused ${refusals.length} (p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, ${retryAfterMissing} without a time), timed out ${late}`,
  );
  console.log(`bench overload ratio=${(goodput / peak).toFixed(2)} bar=${GOODPUT_BAR}`);
  console.log(`bench overload-refusal ratio=${(REFUSAL_MS_BAR / p99).toFixed(2)} bar=1`);
}
