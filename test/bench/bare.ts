import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { MINILM_GRAPH, WORKERS } from "./minilm.ts";
import type { BareOrder, BareResult } from "./parts/bare-loop.ts";
import { stopProcess } from "./processes.ts";

export type Bare = {
  /** Real tokens per second of all processes together; each has its own share of the batches. */
  readonly tokensPerSecond: (order: BareOrder) => Promise<number>;
  readonly close: () => Promise<void>;
};

/** Bare onnxruntime-node in as many processes as the function has workers. */
export async function startBare(): Promise<Bare> {
  const children = Array.from({ length: WORKERS }, () =>
    fork(new URL("./parts/bare-session.ts", import.meta.url), [MINILM_GRAPH], { execArgv: [] }),
  );
  await Promise.all(children.map((child) => once(child, "message")));
  return {
    tokensPerSecond: async ({ batches, ms }) => {
      const shares = children.map((child, share) => ask(child, { ms, batches: batches.filter((_, at) => at % WORKERS === share) }));
      return (await Promise.all(shares)).reduce((sum, each) => sum + each, 0);
    },
    close: async () => void (await Promise.all(children.map(stopProcess))),
  };
}

async function ask(child: ChildProcess, order: BareOrder): Promise<number> {
  child.send(order);
  // The part answers an order with nothing else.
  const [{ tokensPerSecond }] = (await once(child, "message")) as [BareResult];
  return tokensPerSecond;
}
