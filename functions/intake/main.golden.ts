import { writeFileSync } from "node:fs";
import { setPriority } from "node:os";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { Failure } from "../../shared/base/failure.ts";
import type { VersionFacts } from "../../shared/models/version.ts";
import { type GoldenAnswer, type GoldenLimits, GoldenOrder } from "./golden.ts";

const MEASURE_EVERY_MS = 20;
const PRIORITY_LOW = 5;
const SESSION = { threads: 1, provider: "cpu" } as const;

// ONNX runs block their thread, so they have one of their own: the main thread stays awake to measure, and to notice that its parent is gone.
if (isMainThread) supervise(GoldenOrder.parse(JSON.parse(process.argv[2] ?? "")));
else parentPort?.postMessage(await inspect(GoldenOrder.parse(workerData)));

function supervise(order: GoldenOrder) {
  yieldToOthers();
  process.on("disconnect", die);
  if (!process.connected) die();
  process.send?.({ kind: "begun" } satisfies GoldenAnswer);
  setInterval(() => {
    const limit = spentLimit(order.limits);
    if (limit !== undefined) end({ kind: "spent", limit });
  }, MEASURE_EVERY_MS);
  const worker = new Worker(new URL(import.meta.url), { workerData: order });
  worker.on("message", end);
  worker.on("error", (error) => end({ kind: "refused", reason: reasonOf(error) }));
}

function spentLimit({ timeoutMs, memoryMib }: GoldenLimits): "time" | "memory" | undefined {
  const { user, system } = process.cpuUsage();
  if ((user + system) / 1_000 > timeoutMs) return "time";
  return process.memoryUsage.rss() > memoryMib * 1024 ** 2 ? "memory" : undefined;
}

async function inspect(order: GoldenOrder): Promise<GoldenAnswer> {
  try {
    return { kind: "facts", facts: await learn(order) };
  } catch (cause) {
    return { kind: "refused", reason: reasonOf(cause) };
  }
}

/** The placed variant has to answer; how far the folder's other ones are from it is noted with the version. */
async function learn({ folder, dtype }: GoldenOrder): Promise<VersionFacts> {
  // Loaded here, because the thread that watches needs none of it and should watch soon.
  const { loadModel } = await import("../../shared/inference/ort/model.ts");
  const { runGolden } = await import("../../shared/inference/ort/golden.ts");
  const { compareVariants } = await import("../../shared/inference/ort/variants.ts");
  const model = await loadModel(folder, dtype, SESSION);
  const facts = await runGolden(model);
  await model.dispose();
  if (facts.dtypes.length === 1) return facts;
  return { ...facts, drift: await compareVariants(folder, dtype, SESSION) };
}

/** What the loader refuses it says in a sentence; for the rest, the first line without a stack and without this machine's paths. */
function reasonOf(cause: unknown): string {
  if (cause instanceof Failure) return cause.message;
  const [line = ""] = (cause instanceof Error ? cause.message : String(cause)).split("\n");
  return `The model cannot be loaded and run: ${line.replaceAll(/\/\S*weir-check-[^/\s]*\//g, "")}`;
}

function end(answer: GoldenAnswer) {
  // Its thread may be inside a run that never ends, and an orderly exit would wait for it.
  process.send?.(answer, die);
}

function die() {
  process.kill(process.pid, "SIGKILL");
}

/** Requests being served come first, and if the machine runs out of memory then this process shall be the one that goes. */
function yieldToOthers() {
  setPriority(PRIORITY_LOW);
  try {
    writeFileSync("/proc/self/oom_score_adj", "1000");
  } catch {
    // Only Linux has it; elsewhere the memory check has to do.
  }
}
