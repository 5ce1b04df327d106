import { connect } from "node:net";

export type LoadPlan = {
  readonly port: number;
  readonly connections: number;
  readonly durationMs: number;
  /** Whole HTTP/1.1 requests, sent in turn; each connection sends its next one when the answer to the last has come. */
  readonly requests: readonly Buffer[];
};

export type LoadResult = {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly failed: number;
  readonly requests: number;
};

/** A closed-loop HTTP/1.1 generator that keeps every latency, so that its percentiles are exact. */
export async function load(plan: LoadPlan): Promise<LoadResult> {
  const latenciesMs: number[] = [];
  const counts = { failed: 0, next: 0 };
  const startedAt = performance.now();
  const endAt = startedAt + plan.durationMs;
  await Promise.all(Array.from({ length: plan.connections }, () => drive(plan, { latenciesMs, counts, endAt })));
  const seconds = (performance.now() - startedAt) / 1000;
  latenciesMs.sort((a, b) => a - b);
  return {
    requestsPerSecond: latenciesMs.length / seconds,
    p50Ms: percentile(latenciesMs, 0.5),
    p99Ms: percentile(latenciesMs, 0.99),
    failed: counts.failed,
    requests: latenciesMs.length,
  };
}

type Samples = { latenciesMs: number[]; counts: { failed: number; next: number }; endAt: number };

function drive(plan: LoadPlan, { latenciesMs, counts, endAt }: Samples): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: plan.port, host: "127.0.0.1", noDelay: true });
    let sentAt = 0;
    let received: Buffer = Buffer.alloc(0);
    const send = () => {
      if (performance.now() >= endAt) return socket.end();
      const request = plan.requests[counts.next % plan.requests.length];
      counts.next += 1;
      sentAt = performance.now();
      return request && socket.write(request);
    };
    socket.on("connect", send);
    socket.on("data", (chunk) => {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
      const status = completeStatus(received);
      if (status === undefined) return;
      received = Buffer.alloc(0);
      latenciesMs.push(performance.now() - sentAt);
      if (status !== 200) counts.failed += 1;
      send();
    });
    socket.on("close", () => resolve());
    socket.on("error", reject);
  });
}

/** The status of an answer once the whole of it is there, whether its length is stated or it comes in chunks. */
function completeStatus(received: Buffer): number | undefined {
  const headEnd = received.indexOf("\r\n\r\n");
  if (headEnd < 0) return undefined;
  const head = received.toString("latin1", 0, headEnd);
  const length = /content-length: *(\d+)/i.exec(head)?.[1];
  const isWhole = length === undefined ? received.subarray(-5).equals(LAST_CHUNK) : received.length >= headEnd + 4 + Number(length);
  return isWhole ? Number(head.slice(9, 12)) : undefined;
}

const LAST_CHUNK = Buffer.from("0\r\n\r\n");

export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
