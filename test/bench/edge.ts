import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { Worker } from "node:worker_threads";
import { createWasmPool, type WasmPool } from "../../edge/wasm/pool.ts";
import type { Dtype } from "../../shared/models/version.ts";
import { folderOf, storeVersion } from "../harness/inference.ts";
import { startS3, type TestS3 } from "../harness/s3.ts";
import { median } from "./load.ts";
import { call, MINILM, measure, textOf } from "./minilm.ts";
import type { BareOrder, BareResult } from "./parts/bare-loop.ts";

const BAR = 0.87;
const MIB = 1024 ** 2;
/** As a gateway has by default: its other core is for the event loop and the tokenizers. */
const THREADS = 1;
const ROUNDS = 7;
const ROUND_MS = 1_000;
const CALLERS = 4;
const WARM_UP_MS = 2_000;
const DELAY_RESOLUTION_MS = 1;
const NANOSECONDS_PER_MS = 1e6;

type Subject = {
  readonly name: string;
  readonly folder: string;
  readonly dtype: Dtype;
  readonly graph: string;
  readonly tokens: number;
  /** Inputs of one run: graphs in 8 bits run one by one. */
  readonly together: number;
  readonly textsPerCall: number;
};

const FIXTURE = folderOf("test/fixtures/models/tiny-bert-embed");
const SUBJECTS: readonly Subject[] = [
  { name: "tiny-bert float32", folder: FIXTURE, dtype: "fp32", graph: "model.onnx", tokens: 48, together: 21, textsPerCall: 21 },
  { name: "MiniLM int8", folder: MINILM, dtype: "q8", graph: "model_quantized.onnx", tokens: 32, together: 1, textsPerCall: 1 },
  { name: "MiniLM int8", folder: MINILM, dtype: "q8", graph: "model_quantized.onnx", tokens: 128, together: 1, textsPerCall: 1 },
];

/**
 * The edge tier through its own port, with tokenizer, queue, threads and pooling, against bare onnxruntime-web with the same build, options, threads
 * and lengths, in turn. Meanwhile this process's event loop, which is the gateway's there, is watched: it must stay free.
 */
export async function benchEdge(): Promise<void> {
  // The S3 engine is in this process; the SDK signs for it.
  process.env["AWS_ACCESS_KEY_ID"] = process.env["AWS_SECRET_ACCESS_KEY"] = "bench";
  const s3 = await startS3();
  const cacheDir = await mkdtemp(join(tmpdir(), "weir-bench-"));
  const pool = await openPool(s3, cacheDir);
  try {
    const rows = [];
    for (const subject of SUBJECTS) rows.push(await compare(s3, pool, subject));
    console.log(`The edge tier, ${THREADS} thread, ${CALLERS} callers; tokens/s, and the event loop's delay in ms:`);
    console.table(rows);
    const ratio = rows.reduce((sum, row) => sum + row.ratio, 0) / rows.length;
    console.log(`bench edge ratio=${ratio.toFixed(2)} bar=${BAR}`);
  } finally {
    await pool.close();
    await s3.close();
    await rm(cacheDir, { recursive: true, force: true });
  }
}

function openPool(s3: TestS3, cacheDir: string): Promise<WasmPool> {
  const { region, bucket, endpoint } = s3.settings;
  return createWasmPool({
    artefacts: { region, bucket, endpoint },
    cacheDir,
    cacheBytesMax: 256 * MIB,
    threads: THREADS,
    memoryBytesMax: THREADS * 256 * MIB,
    log: () => {},
  });
}

async function compare(s3: TestS3, pool: WasmPool, { folder, dtype, graph, tokens, together, ...subject }: Subject) {
  const caller = { client: pool, version: await storeVersion(s3, folder, dtype) };
  const bare = await startBareThreads(`${folder}/onnx/${graph}`);
  const batches = [Array.from({ length: together }, () => tokens)];
  const nextTexts = () => Array.from({ length: subject.textsPerCall }, () => textOf(tokens));
  // V8 compiles WebAssembly quickly at first, and well what has run for a while: nothing is measured before that.
  const warmAtMs = performance.now() + WARM_UP_MS;
  while (performance.now() < warmAtMs) await call(caller, nextTexts());
  await bare.tokensPerSecond({ batches, ms: WARM_UP_MS });
  const samples: { bare: Watched; edge: Watched }[] = [];
  for (let round = 0; round < ROUNDS; round += 1)
    samples.push({
      bare: await watched(() => bare.tokensPerSecond({ batches, ms: ROUND_MS })),
      edge: await watched(() => measure(caller, { callers: CALLERS, ms: ROUND_MS, nextTexts })),
    });
  await bare.close();
  const medianOf = (each: (sample: (typeof samples)[number]) => number) => median(samples.map(each));
  return {
    model: subject.name,
    tokens,
    bare: Math.round(medianOf(({ bare: { rate } }) => rate)),
    edge: Math.round(medianOf(({ edge: { rate } }) => rate)),
    ratio: Number(medianOf((sample) => sample.edge.rate / sample.bare.rate).toFixed(3)),
    "p99 delay, bare": Number(medianOf(({ bare: { delayMs } }) => delayMs).toFixed(1)),
    "p99 delay, edge": Number(medianOf(({ edge: { delayMs } }) => delayMs).toFixed(1)),
  };
}

type Watched = { readonly rate: number; readonly delayMs: number };

/** A rate, and by how much this process's event loop was late meanwhile. Under the bare threads it does nothing: that delay is the machine's own. */
async function watched(rateOf: () => Promise<number>): Promise<Watched> {
  const delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });
  delay.enable();
  const rate = await rateOf();
  delay.disable();
  return { rate, delayMs: delay.percentile(99) / NANOSECONDS_PER_MS };
}

/** Bare onnxruntime-web in as many threads as the pool has, each with all of the batches. */
async function startBareThreads(graph: string) {
  const threads = Array.from(
    { length: THREADS },
    () => new Worker(new URL("./parts/bare-wasm.ts", import.meta.url), { workerData: graph }),
  );
  await Promise.all(threads.map((thread) => once(thread, "message")));
  return {
    tokensPerSecond: async (order: BareOrder) => {
      const shares = await Promise.all(threads.map((thread) => askThread(thread, order)));
      return shares.reduce((sum, each) => sum + each, 0);
    },
    close: async () => void (await Promise.all(threads.map((thread) => thread.terminate()))),
  };
}

async function askThread(thread: Worker, order: BareOrder): Promise<number> {
  thread.postMessage(order);
  // The part answers an order with nothing else.
  const [{ tokensPerSecond }] = (await once(thread, "message")) as [BareResult];
  return tokensPerSecond;
}
