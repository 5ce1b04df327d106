import { startBare } from "./bare.ts";
import { WORKERS } from "./function.ts";
import { median } from "./load.ts";
import { MINILM_GRAPH, startMiniLm, textOf } from "./minilm.ts";

const BAR = 2.5;
const ROUNDS = 5;
const ROUND_MS = 4_000;
const TEXTS = 2_000;
const FIFO_BATCH = 32;
const CALLERS = [1, 16, 64];

/** Texts of mixed lengths from many callers at once, against first-in-first-out batches of 32 that are padded to their longest. */
export async function benchBatching(): Promise<void> {
  const lengths = mixedLengths(TEXTS);
  const batches = Array.from({ length: Math.floor(TEXTS / FIFO_BATCH) }, (_, at) => lengths.slice(at * FIFO_BATCH, (at + 1) * FIFO_BATCH));
  const [fifo, weir] = [await startBare(MINILM_GRAPH), await startMiniLm()];
  try {
    let next = 0;
    const nextTexts = () => {
      next += 1;
      return [textOf(lengths[next % lengths.length] ?? 0)];
    };
    const samples: number[][] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const sample = [await fifo.tokensPerSecond({ batches, ms: ROUND_MS })];
      for (const callers of CALLERS) sample.push(await weir.tokensPerSecond({ callers, ms: ROUND_MS, nextTexts }));
      samples.push(sample);
    }
    const names = [`padded batches of ${FIFO_BATCH} as they come`, ...CALLERS.map((callers) => `weir, callers: ${callers}`)];
    const mean = Math.round(lengths.reduce((sum, length) => sum + length, 0) / TEXTS);
    console.log(`MiniLM int8, ${WORKERS} processes of 1 thread, texts of 3 to 200 tokens, mean ${mean}; real tokens/s:`);
    console.table(names.map((name, at) => ({ name, "tokens/s": Math.round(median(samples.map((sample) => sample[at] ?? Number.NaN))) })));
    const ratio = median(samples.map((sample) => (sample.at(-1) ?? Number.NaN) / (sample[0] ?? Number.NaN)));
    console.log(`bench batching ratio=${ratio.toFixed(2)} bar=${BAR}`);
  } finally {
    await weir.close();
    await fifo.close();
  }
}

/** Many short texts and some long ones, the same in every run (a linear congruential generator, Numerical Recipes). */
function mixedLengths(count: number): number[] {
  let state = 1;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return 3 + Math.floor(198 * (state / 2 ** 32) ** 3);
  });
}
