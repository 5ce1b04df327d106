import { Failure } from "../../base/failure.ts";
import type { Session } from "../runtime/session.ts";
import type { Graph } from "./worker-protocol.ts";

export type SessionCacheSettings = {
  readonly bytesMax: number;
  readonly open: (path: string) => Promise<Session>;
  /** Bytes that the process or thread has in memory now. */
  readonly heldBytes: () => number;
  /** A graph that is at work keeps its session; absent, none is. */
  readonly isBusy?: (key: string) => boolean;
  /** Told before a session goes. */
  readonly onDrop?: (key: string) => void;
};

export type SessionCache = {
  /** The graph's session, opened if need be; what was used longest ago makes room. Fails with `unavailable` if it alone is too large. One caller at a time. */
  readonly get: (graph: Graph) => Promise<Session>;
  readonly usedBytes: () => number;
};

type Held = { readonly session: Session; readonly bytes: number };

/** Sessions of one worker under a limit of memory. What a session takes is measured: it is what the process grew by when it was opened. */
export function createSessionCache({ bytesMax, open, heldBytes, isBusy, onDrop }: SessionCacheSettings): SessionCache {
  // In order of use: a session that is used goes to the end.
  const held = new Map<string, Held>();
  const usedBytes = () => [...held.values()].reduce((sum, { bytes }) => sum + bytes, 0);

  async function drop(key: string): Promise<void> {
    const { session } = held.get(key) ?? {};
    held.delete(key);
    onDrop?.(key);
    await session?.dispose();
  }

  async function makeRoom(bytes: number): Promise<void> {
    for (const key of held.keys()) {
      if (usedBytes() + bytes <= bytesMax) return;
      if (isBusy?.(key) !== true) await drop(key);
    }
  }

  async function load(graph: Graph): Promise<Session> {
    if (graph.weightBytes > bytesMax) throw tooLarge(graph.weightBytes, bytesMax);
    // Its files say the least that it will take; the measure comes after.
    await makeRoom(graph.weightBytes);
    if (usedBytes() + graph.weightBytes > bytesMax) throw busy();
    const beforeBytes = heldBytes();
    const session = await open(graph.path);
    // Memory that a dropped session left behind is used again without growth, so it is never less than the files.
    const bytes = Math.max(graph.weightBytes, heldBytes() - beforeBytes);
    await makeRoom(bytes);
    if (usedBytes() + bytes > bytesMax) {
      await session.dispose();
      throw held.size === 0 ? tooLarge(bytes, bytesMax) : busy();
    }
    held.set(graph.key, { session, bytes });
    return session;
  }

  return {
    usedBytes,
    async get(graph) {
      const known = held.get(graph.key);
      if (known === undefined) return load(graph);
      held.delete(graph.key);
      held.set(graph.key, known);
      return known.session;
    },
  };
}

function tooLarge(bytes: number, bytesMax: number): Failure {
  const mib = (count: number) => Math.ceil(count / 1024 ** 2);
  return new Failure("unavailable", `The model takes ${mib(bytes)} MiB, and a worker of this pool holds ${mib(bytesMax)} MiB.`);
}

function busy(): Failure {
  return new Failure("overloaded", "The models that are at work leave no room for another one. Try again shortly.");
}
