import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type LoadResult, load } from "./load.ts";
import { cpuSecondsOf, type Part, startPart } from "./processes.ts";
import { seedBench } from "./seed.ts";

const ROUNDS = 3;
const ROUND_MS = 6_000;
const WARM_UP_MS = 2_000;
const PEPPER = "a pepper for benchmarks only";
const BARS = { "gateway-cpu": 4, "gateway-rps": 4, "gateway-embedded": 2.5 };

const part = (name: string) => fileURLToPath(new URL(`./parts/${name}`, import.meta.url));
const PEERS = fileURLToPath(new URL("./peers", import.meta.url));

type Sample = LoadResult & { readonly cpuMsPerRequest: number };
type Side = { readonly name: string; readonly part: Part; readonly requests: readonly Buffer[] };

/** Weir with keys, limits, split and metering on, against Portkey with none of them: the same engine behind both, in turn, in one run. */
export async function benchGateway() {
  assertPeersInstalled();
  const folder = await mkdtemp(join(tmpdir(), "weir-bench-"));
  const parts: Part[] = [];
  const start = async (...args: Parameters<typeof startPart>) => {
    const started = await startPart(...args);
    parts.push(started);
    return started;
  };
  try {
    const engine = await start(part("mock-engine.ts"));
    const portkey = await startPortkey(start, engine.port);
    const stub = await startWeir(start, { enginePort: engine.port, store: ["stub"] });
    await compare([stub, portkey], { connections: 128, lines: ["gateway-cpu", "gateway-rps"] });
    await addedLatency(stub, engine);
    const embedded = await startWeir(start, { enginePort: engine.port, store: ["embedded", join(folder, "dynamo")] });
    await compare([embedded, portkey], { connections: 32, lines: ["gateway-embedded"] });
  } finally {
    for (const each of parts.reverse()) await each.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

type Start = typeof startPart;

async function startWeir(start: Start, settings: { enginePort: number; store: string[] }): Promise<Side> {
  const store = await start(part("stub-store.ts"), { args: settings.store });
  const endpoint = `http://127.0.0.1:${store.port}`;
  const keys = await seedBench(endpoint, { engineUrl: `http://127.0.0.1:${settings.enginePort}/v1`, pepper: PEPPER });
  const env = {
    NODE_ENV: "production",
    WEIR_PORT: "0",
    WEIR_DYNAMO_ENDPOINT: endpoint,
    WEIR_PEPPERS: JSON.stringify({ 1: PEPPER }),
    WEIR_POOLS: "[]",
    WEIR_INTAKE: JSON.stringify({ kind: "http", url: "http://127.0.0.1:1" }),
    AWS_ACCESS_KEY_ID: "bench",
    AWS_SECRET_ACCESS_KEY: "bench",
  };
  const gateway = await start(fileURLToPath(new URL("../../edge/main.node.ts", import.meta.url)), { env });
  return {
    name: `weir (${settings.store[0]} store)`,
    part: gateway,
    requests: keys.map((key) => embeddingsRequest({ Authorization: `Bearer ${key}` })),
  };
}

async function startPortkey(start: Start, enginePort: number): Promise<Side> {
  const module = fileURLToPath(new URL("./parts/portkey.ts", import.meta.url));
  const portkey = await start(module, { args: [PEERS], env: { NODE_ENV: "production" } });
  const headers = {
    Authorization: "Bearer sk-bench",
    "x-portkey-provider": "openai",
    "x-portkey-custom-host": `http://127.0.0.1:${enginePort}/v1`,
  };
  return { name: "portkey 1.15.2", part: portkey, requests: [embeddingsRequest(headers)] };
}

function embeddingsRequest(headers: Record<string, string>): Buffer {
  const body = JSON.stringify({ model: "bench", input: "The quick brown fox jumps over the lazy dog.", encoding_format: "float" });
  const lines = Object.entries({
    Host: "127.0.0.1",
    "Content-Type": "application/json",
    "Content-Length": String(body.length),
    ...headers,
  });
  return Buffer.from(`POST /v1/embeddings HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n${body}`);
}

/** Rounds in turn (A B A B …), so that a machine that slows down slows both; medians are compared. */
async function compare([weir, peer]: [Side, Side], plan: { connections: number; lines: (keyof typeof BARS)[] }) {
  for (const side of [weir, peer])
    await load({ port: side.part.port, connections: plan.connections, durationMs: WARM_UP_MS, requests: side.requests });
  const samples = new Map<Side, Sample[]>([
    [weir, []],
    [peer, []],
  ]);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const side of [weir, peer]) samples.get(side)?.push(await sample(side, plan.connections));
  }
  const [ours, theirs] = [medianOf(samples.get(weir) ?? []), medianOf(samples.get(peer) ?? [])];
  console.table([row(weir, plan.connections, ours), row(peer, plan.connections, theirs)]);
  for (const line of plan.lines) {
    const ratio =
      line === "gateway-cpu" ? theirs.cpuMsPerRequest / ours.cpuMsPerRequest : ours.requestsPerSecond / theirs.requestsPerSecond;
    console.log(`bench ${line} ratio=${ratio.toFixed(2)} bar=${BARS[line]}`);
  }
}

async function sample(side: Side, connections: number): Promise<Sample> {
  const cpuBefore = cpuSecondsOf(side.part.pid);
  const result = await load({ port: side.part.port, connections, durationMs: ROUND_MS, requests: side.requests });
  const cpuMsPerRequest = ((cpuSecondsOf(side.part.pid) - cpuBefore) * 1000) / result.requests;
  return { ...result, cpuMsPerRequest };
}

/** What the gateway adds at one connection, beside what one write of the store costs: the stub acknowledges after 4 ms. */
async function addedLatency(weir: Side, engine: Part) {
  const through = await load({ port: weir.part.port, connections: 1, durationMs: ROUND_MS, requests: weir.requests });
  const direct = await load({ port: engine.port, connections: 1, durationMs: WARM_UP_MS, requests: [embeddingsRequest({})] });
  console.log(
    `added p50 at 1 connection: ${(through.p50Ms - direct.p50Ms).toFixed(2)} ms, one write of the store among them (the stub's timer: 4 ms and a little)`,
  );
}

function row(side: Side, connections: number, { requestsPerSecond, p50Ms, p99Ms, failed, cpuMsPerRequest }: Sample) {
  return {
    gateway: side.name,
    connections,
    "requests/s": Math.round(requestsPerSecond),
    "p50 ms": Number(p50Ms.toFixed(2)),
    "p99 ms": Number(p99Ms.toFixed(2)),
    "cpu ms/request": Number(cpuMsPerRequest.toFixed(3)),
    failed,
  };
}

function medianOf(samples: readonly Sample[]): Sample {
  const sorted = [...samples].sort((a, b) => a.requestsPerSecond - b.requestsPerSecond);
  const median = sorted[Math.floor(sorted.length / 2)];
  if (median === undefined) throw new Error("no samples were taken");
  return median;
}

function assertPeersInstalled() {
  const require = createRequire(join(PEERS, "package.json"));
  if (!existsSync(join(PEERS, "node_modules"))) throw new Error("install the peers first: npm ci --prefix test/bench/peers");
  require.resolve("@portkey-ai/gateway/package.json");
}
