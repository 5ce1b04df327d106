import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { systemClock } from "../../shared/base/clock.ts";
import { createLeanDynamo } from "../../shared/dynamo/lean-client.ts";
import { createSdkDynamo } from "../../shared/dynamo/sdk.ts";
import { type LoadResult, load, percentile } from "./load.ts";
import { startPortkey } from "./portkey.ts";
import { cpuSecondsOf, type Part, startPart } from "./processes.ts";
import { seedBench } from "./seed.ts";

const ROUNDS = 3;
const ROUND_MS = 6_000;
const WARM_UP_MS = 3_000;
const PEPPER = "a pepper for benchmarks only";
const BARS = { "gateway-cpu": 4, "gateway-rps": 4, "gateway-embedded": 2.5 };
const ADDED_MS_BAR = 0.6;
const STORE_TIMEOUT_MS = 2_000;

const part = (name: string) => fileURLToPath(new URL(`./parts/${name}`, import.meta.url));

type Sample = LoadResult & { readonly cpuMsPerRequest: number };
type Side = { readonly name: string; readonly part: Part; readonly requests: readonly Buffer[] };
type Keep = <T extends Part>(starting: Promise<T>) => Promise<T>;

/**
 * Weir with keys, limits, split and metering on, against Portkey with none of them: the same engine behind both, in turn, in one run.
 * Portkey runs on Node 20, as its image does; it is shown on Weir's own Node as well.
 */
export async function benchGateway() {
  const folder = await mkdtemp(join(tmpdir(), "weir-bench-"));
  const parts: Part[] = [];
  const keep: Keep = async (starting) => {
    const started = await starting;
    parts.push(started);
    return started;
  };
  try {
    const engine = await keep(startPart(part("mock-engine.ts")));
    const portkey = portkeySide(await keep(startPortkey()), "portkey 1.15.2 (node 20)", engine.port);
    const portkey24 = portkeySide(
      await keep(startPortkey(process.execPath)),
      `portkey 1.15.2 (node ${process.versions.node})`,
      engine.port,
    );
    const stub = await startWeir(keep, { enginePort: engine.port, store: ["stub"] });
    await compare([stub, portkey, portkey24], { connections: 128, lines: ["gateway-cpu", "gateway-rps"] });
    await addedLatency(keep, stub, engine);
    const embedded = await startWeir(keep, { enginePort: engine.port, store: ["embedded", join(folder, "dynamo")] });
    await compare([embedded, portkey, portkey24], { connections: 32, lines: ["gateway-embedded"] });
  } finally {
    for (const each of parts.reverse()) await each.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

type WeirSide = Side & { readonly store: Part };

async function startWeir(keep: Keep, settings: { enginePort: number; store: string[] }): Promise<WeirSide> {
  const store = await keep(startPart(part("stub-store.ts"), { args: settings.store }));
  const endpoint = `http://127.0.0.1:${store.port}`;
  const keys = await seedBench(endpoint, { engineUrl: `http://127.0.0.1:${settings.enginePort}/v1`, pepper: PEPPER });
  const env = {
    NODE_ENV: "production",
    WEIR_PORT: "0",
    WEIR_DYNAMO_ENDPOINT: endpoint,
    WEIR_PEPPERS: JSON.stringify({ 1: PEPPER }),
    WEIR_POOLS: "[]",
    WEIR_INTAKE: JSON.stringify({ kind: "http", url: "http://127.0.0.1:1" }),
    WEIR_ENGINE_ORIGINS: '"*"',
    AWS_ACCESS_KEY_ID: "bench",
    AWS_SECRET_ACCESS_KEY: "bench",
  };
  const gateway = await keep(startPart(fileURLToPath(new URL("../../edge/main.node.ts", import.meta.url)), { env }));
  return {
    name: `weir (${settings.store[0]} store)`,
    part: gateway,
    store,
    requests: keys.map((key) => embeddingsRequest({ Authorization: `Bearer ${key}` })),
  };
}

function portkeySide(started: Part, name: string, enginePort: number): Side {
  const headers = {
    Authorization: "Bearer sk-bench",
    "x-portkey-provider": "openai",
    "x-portkey-custom-host": `http://127.0.0.1:${enginePort}/v1`,
  };
  return { name, part: started, requests: [embeddingsRequest(headers)] };
}

export function embeddingsRequest(headers: Record<string, string>): Buffer {
  const body = JSON.stringify({ model: "bench", input: "The quick brown fox jumps over the lazy dog.", encoding_format: "float" });
  const lines = Object.entries({
    Host: "127.0.0.1",
    "Content-Type": "application/json",
    "Content-Length": String(body.length),
    ...headers,
  });
  return Buffer.from(`POST /v1/embeddings HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n${body}`);
}

/** Rounds in turn (A B C A B C …), so that a machine that slows down slows all; medians are compared, the first side with the second. */
async function compare(sides: readonly [Side, Side, ...Side[]], plan: { connections: number; lines: (keyof typeof BARS)[] }) {
  const samples = new Map<Side, Sample[]>(sides.map((side) => [side, []]));
  for (const side of sides)
    await load({ port: side.part.port, connections: plan.connections, durationMs: WARM_UP_MS, requests: side.requests });
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const side of sides) samples.get(side)?.push(await sample(side, plan.connections));
  }
  const medians = sides.map((side) => medianOf(samples.get(side) ?? []));
  console.table(sides.map((side, index) => row(side, plan.connections, medians[index])));
  const [ours, theirs] = medians;
  if (ours === undefined || theirs === undefined) throw new Error("two sides are compared");
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

/**
 * What the gateway adds at one connection beyond the engine's answer and one write of the store, each measured by itself in a closed loop.
 * A Node process that only forwards and writes stands beside it: what it adds is the price of the two hops on this machine.
 */
async function addedLatency(keep: Keep, weir: WeirSide, engine: Part) {
  const urls = [engine.port, weir.store.port].map((port) => `http://127.0.0.1:${port}`);
  const bare = await keep(startPart(part("bare-forwarder.ts"), { args: urls }));
  const p50Of = async (port: number, requests: readonly Buffer[]) => {
    const { p50Ms } = await load({ connections: 1, durationMs: WARM_UP_MS, port, requests });
    return p50Ms;
  };
  const one = [embeddingsRequest({})];
  await load({ connections: 64, durationMs: WARM_UP_MS, port: bare.port, requests: one });
  const [answer, write] = [await p50Of(engine.port, one), await p50Of(weir.store.port, [BATCH_WRITE])];
  const [forwarded, through] = [await p50Of(bare.port, one), await p50Of(weir.part.port, weir.requests.slice(0, 1))];
  const signedWrite = await signedWriteP50Ms(weir.store.port);
  const figures = { engine: answer, write, "write by the ledger's client": signedWrite, "bare forwarder": forwarded, weir: through };
  console.log(
    `p50 at 1 connection, ms: ${Object.entries(figures)
      .map(([name, ms]) => `${name} ${ms.toFixed(2)}`)
      .join(", ")}`,
  );
  const [ours, floor] = [through - answer - write, forwarded - answer - write];
  console.log(`added beyond engine and write: weir ${ours.toFixed(2)} ms, bare forwarder ${floor.toFixed(2)} ms`);
  console.log(
    `added beyond engine and a write by the ledger's client: weir ${(through - answer - signedWrite).toFixed(2)} ms (bar ${ADDED_MS_BAR})`,
  );
}

/** One write of the store as a Node process makes it: signed, through the ledger's own client, one after the other. */
async function signedWriteP50Ms(port: number): Promise<number> {
  const dynamo = createSdkDynamo({ region: "us-east-1", tablePrefix: "weir", endpoint: `http://127.0.0.1:${port}` });
  const lean = createLeanDynamo(dynamo.settings, systemClock);
  const latenciesMs: number[] = [];
  for (const endAt = performance.now() + WARM_UP_MS; performance.now() < endAt; ) {
    const startedAt = performance.now();
    await lean.call("BatchWriteItem", { RequestItems: {} }, STORE_TIMEOUT_MS);
    latenciesMs.push(performance.now() - startedAt);
  }
  await lean.close();
  await dynamo.close();
  return percentile(
    latenciesMs.sort((a, b) => a - b),
    0.5,
  );
}

/** What the ledger sends, without its rows: the stub reads none. */
const BATCH_WRITE = Buffer.from(
  "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Amz-Target: DynamoDB_20120810.BatchWriteItem\r\nContent-Length: 2\r\n\r\n{}",
);

function row(side: Side, connections: number, median: Sample | undefined) {
  if (median === undefined) throw new Error("every side is sampled");
  const { requestsPerSecond, p50Ms, p99Ms, failed, cpuMsPerRequest } = median;
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
