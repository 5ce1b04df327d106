import { Failure } from "../../base/failure.ts";
import { forward } from "../runtime/forward.ts";
import type { Session } from "../runtime/session.ts";
import type { Graph, WorkerAnswer, WorkerCall, WorkerRefusal } from "./worker-protocol.ts";

/** Does one call on its graph's session; whatever fails is an answer too. */
export async function answerCall(sessionOf: (graph: Graph) => Promise<Session>, call: WorkerCall): Promise<WorkerAnswer> {
  let stage: WorkerRefusal["stage"] = "load";
  try {
    const session = await sessionOf(call.graph);
    stage = "run";
    const startedAtMs = performance.now();
    if (call.kind === "run") {
      const rows = await forward(session, call.inputs, call.graph);
      return { kind: "rows", rows, runMs: performance.now() - startedAtMs };
    }
    const fetches = Object.fromEntries(call.fetches.map((name) => [name, undefined]));
    const tensors = await session.run(call.feeds, fetches);
    return { kind: "tensors", tensors, runMs: performance.now() - startedAtMs };
  } catch (error) {
    return refusalOf(error, stage);
  }
}

/** Only a caller's own mistakes keep their code: the rest is the model's or the machine's. */
export function refusalOf(error: unknown, stage: WorkerRefusal["stage"]): WorkerRefusal {
  const message = error instanceof Error ? error.message : String(error);
  const refused = { kind: "failed", message, field: error instanceof Failure ? error.field : undefined } as const;
  if (error instanceof Failure && error.code === "unavailable") return { ...refused, stage: "memory", code: "unavailable" };
  if (error instanceof Failure && error.code === "overloaded") return { ...refused, stage: "memory", code: "overloaded" };
  if (error instanceof Failure && error.code === "invalid_request" && stage === "run")
    return { ...refused, stage: "caller", code: error.code };
  return { ...refused, stage, code: "engine_failed" };
}
