import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { WORKERS } from "./function.ts";
import type { BareOrder, BareResult } from "./parts/bare-loop.ts";
import { pidOf, stopProcess } from "./processes.ts";

export type Bare = {
  /** Real tokens per second of all processes together; each has its own share of the batches. */
  readonly tokensPerSecond: (order: BareOrder) => Promise<number>;
  /** The same, with the tokens that were computed. */
  readonly work: (order: BareOrder) => Promise<BareResult>;
  readonly pids: () => number[];
  readonly close: () => Promise<void>;
};

/** Bare onnxruntime-node in as many processes as the function has workers. */
export async function startBare(graph: string, processes = WORKERS): Promise<Bare> {
  const children = Array.from({ length: processes }, () =>
    fork(new URL("./parts/bare-session.ts", import.meta.url), [graph], { execArgv: [] }),
  );
  await Promise.all(children.map((child) => once(child, "message")));
  const work = async ({ batches, ms }: BareOrder) => {
    const asked = children.map((child, share) => ask(child, { ms, batches: batches.filter((_, at) => at % processes === share) }));
    return (await Promise.all(asked)).reduce((sum, each) => ({
      tokensPerSecond: sum.tokensPerSecond + each.tokensPerSecond,
      tokens: sum.tokens + each.tokens,
    }));
  };
  return {
    work,
    tokensPerSecond: async (order) => (await work(order)).tokensPerSecond,
    pids: () => children.map(pidOf),
    close: async () => void (await Promise.all(children.map(stopProcess))),
  };
}

async function ask(child: ChildProcess, order: BareOrder): Promise<BareResult> {
  child.send(order);
  // The part answers an order with nothing else.
  const [result] = (await once(child, "message")) as [BareResult];
  return result;
}
