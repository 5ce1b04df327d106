import { setImmediate as nextTurn } from "node:timers/promises";
import type { Generator } from "../runtime/generate/generator.ts";
import { type GenerateOrder, startingAfter } from "../runtime/generate/order.ts";
import type { Session } from "../runtime/session.ts";
import { answerCall, refusalOf } from "./host-call.ts";
import { createSessionCache, type SessionCache } from "./session-cache.ts";
import type { Graph, WorkerCall, WorkerOrder, WorkerRefusal, WorkerWord } from "./worker-protocol.ts";

export type HostSettings = {
  readonly openSession: (path: string) => Promise<Session>;
  /** A decoder's session with what generation needs of its folder. */
  readonly openGenerator: (session: Session, graph: Graph) => Promise<Generator>;
  /** What its sessions together may take. */
  readonly sessionBytesMax: number;
  /** Bytes that it holds for models now. */
  readonly heldBytes: () => number;
  /** Beyond this it asks to be replaced once it has nothing to do; absent, never. */
  readonly spentBytesMin?: number;
  readonly say: (word: WorkerWord) => void;
};

const ALIVE_MS = 500;
/** For newcomers in one turn: a grammar may take most of a second to be made, and loading a model longer. */
const BEGIN_MS_MAX = 50;

type Arrival = { readonly graph: Graph; readonly order: GenerateOrder; readonly heardAtMs: number };

type Host = {
  readonly settings: HostSettings;
  readonly sessions: SessionCache;
  readonly generators: Map<string, { readonly generator: Generator; isBusy: boolean }>;
  readonly calls: WorkerCall[];
  arrivals: Arrival[];
  /** The newcomer whose model is being loaded. */
  beginning: { readonly id: string; isCancelled: boolean } | undefined;
  atKey: string | undefined;
  isWorking: boolean;
  aliveAtMs: number;
};

/**
 * What a worker is inside, whether it is a process with the native runtime or a thread with the WASM one: sessions, one call at a time, and
 * generations whose steps take turns with calls and with each other's models. Orders are heard between steps.
 */
export function createHost(settings: HostSettings): { readonly hear: (order: WorkerOrder) => void } {
  const generators: Host["generators"] = new Map();
  const sessions = createSessionCache({
    bytesMax: settings.sessionBytesMax,
    open: settings.openSession,
    heldBytes: settings.heldBytes,
    isBusy: (key) => generators.get(key)?.isBusy === true,
    onDrop: (key) => void generators.delete(key),
  });
  const host: Host = {
    ...{ settings, sessions, generators, calls: [], arrivals: [] },
    ...{ beginning: undefined, atKey: undefined, isWorking: false, aliveAtMs: 0 },
  };
  return { hear: (order) => hear(host, order) };
}

function hear(host: Host, order: WorkerOrder) {
  switch (order.kind) {
    case "run":
    case "forward":
      host.calls.push(order);
      break;
    case "generate":
      host.arrivals.push({ ...order, heardAtMs: performance.now() });
      break;
    case "cancel":
      host.arrivals = host.arrivals.filter((arrival) => arrival.order.id !== order.id);
      if (host.beginning?.id === order.id) host.beginning.isCancelled = true;
      for (const { generator } of host.generators.values()) generator.cancel(order.id);
      return;
  }
  void work(host);
}

async function work(host: Host) {
  if (host.isWorking) return;
  host.isWorking = true;
  while (await turn(host)) await nextTurn(); // words that came during a step are heard now
  host.isWorking = false;
  const { spentBytesMin, heldBytes, say } = host.settings;
  if (spentBytesMin !== undefined && heldBytes() > spentBytesMin) say({ kind: "spent" });
}

/** A call, the newcomers, a step of each model that generates. False when there is nothing left. */
async function turn(host: Host): Promise<boolean> {
  const { calls, generators, sessions, settings } = host;
  const call = calls.shift();
  if (call !== undefined) {
    turnTo(host, call.graph.key);
    settings.say({ kind: "answer", answer: await answerCall(sessions.get, call) });
  }
  const startedAtMs = performance.now();
  // One at least, so that each gets its turn; no more once the calls and steps of others have waited for long enough.
  do await beginNext(host);
  while (host.arrivals.length > 0 && performance.now() - startedAtMs < BEGIN_MS_MAX);
  for (const [key, entry] of generators) {
    if (!entry.isBusy) continue;
    turnTo(host, key);
    entry.isBusy = await entry.generator.step();
  }
  const isGenerating = [...generators.values()].some(({ isBusy }) => isBusy);
  if (isGenerating) sayAlive(host);
  return isGenerating || calls.length > 0 || host.arrivals.length > 0;
}

function sayAlive(host: Host) {
  if (performance.now() - host.aliveAtMs <= ALIVE_MS) return;
  host.aliveAtMs = performance.now();
  host.settings.say({ kind: "alive" });
}

function turnTo(host: Host, key: string) {
  if (key === host.atKey) return;
  host.atKey = key;
  host.settings.say({ kind: "at", key });
}

/** Loading a model takes long enough for its caller to leave. */
async function beginNext(host: Host) {
  const arrival = host.arrivals.shift();
  if (arrival === undefined) return;
  const state = { id: arrival.order.id, isCancelled: false };
  host.beginning = state;
  turnTo(host, arrival.graph.key);
  await begin(host, arrival, state);
  host.beginning = undefined;
}

async function begin(host: Host, { graph, order, heardAtMs }: Arrival, state: { readonly isCancelled: boolean }) {
  const { id } = order;
  const { say } = host.settings;
  let stage: WorkerRefusal["stage"] = "load";
  const refuse = (error: unknown) => say({ kind: "broken", id, refusal: refusalOf(error, stage) });
  try {
    const entry = await generatorOf(host, graph);
    if (state.isCancelled) return;
    stage = "run";
    // Loading its model is gone of its time, and others' turns are.
    const timely = startingAfter(performance.now() - heardAtMs, order);
    await entry.generator.add(timely, { event: (event) => say({ kind: "generated", id, event }), fail: refuse });
    entry.isBusy = true;
  } catch (error) {
    refuse(error);
  }
}

async function generatorOf({ sessions, generators, settings }: Host, graph: Graph) {
  const session = await sessions.get(graph);
  const known = generators.get(graph.key);
  if (known !== undefined) return known;
  const opened = { generator: await settings.openGenerator(session, graph), isBusy: false };
  generators.set(graph.key, opened);
  return opened;
}
