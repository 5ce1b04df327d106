import { startBare } from "./bare.ts";
import { median } from "./load.ts";
import { startMiniLm, textOf, WORKERS } from "./minilm.ts";

const BAR = 0.9;
const ROUNDS = 9;
const ROUND_MS = 1_500;
const LENGTHS = [32, 64, 128, 200];
const CALLERS = 4;
const TEXTS_PER_CALL = 8;

/**
 * The inference function over HTTP, with tokenizer, queue, pooling and two hops between processes, against bare onnxruntime-node with the same
 * options, threads and lengths, in turn. MiniLM's graph quantises by the batch, so both sides run each text alone.
 */
export async function benchInference(): Promise<void> {
  const [bare, weir] = [await startBare(), await startMiniLm()];
  try {
    const rows: { tokens: number; bare: number; weir: number; ratio: number }[] = [];
    for (const tokens of LENGTHS) {
      const samples: { bare: number; weir: number }[] = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        const alone = Array.from({ length: WORKERS }, () => [tokens]);
        const nextTexts = () => Array.from({ length: TEXTS_PER_CALL }, () => textOf(tokens));
        samples.push({
          bare: await bare.tokensPerSecond({ batches: alone, ms: ROUND_MS }),
          weir: await weir.tokensPerSecond({ callers: CALLERS, ms: ROUND_MS, nextTexts }),
        });
      }
      rows.push({
        tokens,
        bare: Math.round(median(samples.map((sample) => sample.bare))),
        weir: Math.round(median(samples.map((sample) => sample.weir))),
        ratio: Number(median(samples.map((sample) => sample.weir / sample.bare)).toFixed(3)),
      });
    }
    console.log(`MiniLM int8, ${WORKERS} processes of 1 thread, ${CALLERS} callers of ${TEXTS_PER_CALL} texts; tokens/s:`);
    console.table(rows);
    const ratio = rows.reduce((sum, row) => sum + row.ratio, 0) / rows.length;
    console.log(`bench inference ratio=${ratio.toFixed(2)} bar=${BAR}`);
  } finally {
    await weir.close();
    await bare.close();
  }
}
