import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { bundleGateway, PROCESS_ENVIRONMENT } from "../../cdk/bundle.ts";
import { gzippedAtStart } from "../harness/bundle.ts";
import { freePort, isOpen } from "../harness/ports.ts";
import { embeddingsRequest } from "./gateway.ts";
import { load, median } from "./load.ts";
import { type Part, startPart } from "./processes.ts";
import { seedBench } from "./seed.ts";

const STARTS = 9;
const LOAD_MS = 8_000;
const CONNECTIONS = 32;
const POLL_MS = 2;
const IDLE_MS = 15_000;
const PEPPER = "a pepper for benchmarks only";
const BARS = { listeningMs: 300, rssMiB: 150, bundleKb: 400 };

const part = (name: string) => fileURLToPath(new URL(`./parts/${name}`, import.meta.url));

type Stage = { readonly folder: string; readonly storePort: number; readonly keys: readonly string[] };
type Start = { readonly child: ChildProcess; readonly port: number; readonly listeningMs: number; readonly answeredMs: number };

/** The gateway as it is deployed: how soon its bundle listens and answers with a key checked, what it weighs, and what it holds after load. */
export async function benchStartup() {
  const folder = await mkdtemp(join(tmpdir(), "weir-bench-"));
  const parts: Part[] = [];
  try {
    bundleGateway(folder, { hasEdgeTier: false });
    const engine = await startPart(part("mock-engine.ts"));
    parts.push(engine);
    const store = await startPart(part("stub-store.ts"), { args: ["stub"] });
    parts.push(store);
    const keys = await seedBench(`http://127.0.0.1:${store.port}`, { engineUrl: `http://127.0.0.1:${engine.port}/v1`, pepper: PEPPER });
    const stage = { folder, storePort: store.port, keys };
    report({ ...(await measureStarts(stage)), rssMiB: await rssAfterLoadMiB(stage), bundleKb: gzippedAtStart(folder) / 1_000 });
  } finally {
    for (const each of parts.reverse()) await each.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

type Figures = { readonly listeningMs: number; readonly answeredMs: number; readonly rssMiB: number; readonly bundleKb: number };

/** Higher is better, 1 is the bar: the figure that is nearest to its bar, or furthest past it. */
function report(figures: Figures) {
  console.table([
    { figure: "process start to listening, ms (median)", value: Math.round(figures.listeningMs), bar: BARS.listeningMs },
    { figure: "process start to first answer, ms (median)", value: Math.round(figures.answeredMs), bar: "" },
    { figure: "RSS idle after load, MiB", value: Math.round(figures.rssMiB), bar: BARS.rssMiB },
    { figure: "what the bundle loads at its start, gzipped, KB", value: Math.round(figures.bundleKb), bar: BARS.bundleKb },
  ]);
  const ratios = [BARS.listeningMs / figures.listeningMs, BARS.rssMiB / figures.rssMiB, BARS.bundleKb / figures.bundleKb];
  console.log(`bench startup ratio=${Math.min(...ratios).toFixed(2)} bar=1`);
}

async function measureStarts(stage: Stage): Promise<Pick<Figures, "listeningMs" | "answeredMs">> {
  const starts: Start[] = [];
  for (let run = 0; run < STARTS; run += 1) {
    const started = await start(stage);
    await stop(started.child);
    starts.push(started);
  }
  return { listeningMs: median(starts.map((each) => each.listeningMs)), answeredMs: median(starts.map((each) => each.answeredMs)) };
}

async function rssAfterLoadMiB(stage: Stage): Promise<number> {
  const { child, port } = await start(stage);
  try {
    const requests = stage.keys.map((key) => embeddingsRequest({ Authorization: `Bearer ${key}` }));
    const { requestsPerSecond, failed } = await load({ port, connections: CONNECTIONS, durationMs: LOAD_MS, requests });
    console.log(`load before RSS: ${Math.round(requestsPerSecond)} requests/s over ${CONNECTIONS} connections`);
    if (failed > 0) throw new Error(`${failed} requests failed: what an idle gateway holds after that says nothing`);
    await sleep(IDLE_MS); // what an idle gateway holds: V8 gives back what the load left behind only when it rests
    const status = await readFile(`/proc/${child.pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
  } finally {
    await stop(child);
  }
}

async function start(stage: Stage): Promise<Start> {
  const port = await freePort();
  const env = {
    PATH: process.env["PATH"],
    ...PROCESS_ENVIRONMENT,
    AWS_REGION: "us-east-1",
    AWS_ACCESS_KEY_ID: "bench",
    AWS_SECRET_ACCESS_KEY: "bench",
    AWS_LAMBDA_HTTP_ENDPOINT: `127.0.0.1:${port}`,
    WEIR_DYNAMO_ENDPOINT: `http://127.0.0.1:${stage.storePort}`,
    WEIR_PEPPERS: JSON.stringify({ 1: PEPPER }),
    WEIR_POOLS: '[{"name":"cpu","tier":"cpu","kind":"lambda","functionName":"cpu"}]',
    WEIR_INTAKE: '{"kind":"lambda","functionName":"intake"}',
    WEIR_ENGINE_ORIGINS: '"*"',
  };
  const startedAt = performance.now();
  const child = spawn(process.execPath, ["index.js"], { cwd: stage.folder, env, stdio: ["ignore", "ignore", "inherit"] });
  while (!(await isOpen(port))) {
    if (child.exitCode !== null) throw new Error(`the bundle ended with ${child.exitCode}`);
    await sleep(POLL_MS); // asking without a pause would take the CPU that is measured
  }
  const listeningMs = performance.now() - startedAt;
  const answer = await fetch(`http://127.0.0.1:${port}/v1/models`, { headers: { Authorization: `Bearer ${stage.keys[0]}` } });
  if (answer.status !== 200) throw new Error(`the first answer was ${answer.status}: ${await answer.text()}`);
  await answer.arrayBuffer();
  return { child, port, listeningMs, answeredMs: performance.now() - startedAt };
}

async function stop(child: ChildProcess) {
  child.kill("SIGTERM");
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}
