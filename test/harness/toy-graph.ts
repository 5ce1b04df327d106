import type { Graph } from "../../shared/inference/engine/worker-protocol.ts";

/** A graph that nobody opens: for what hands graphs on. */
export const TOY_GRAPH: Graph = {
  key: "k",
  folder: "/models/k",
  path: "/models/k/onnx/model.onnx",
  weightBytes: 1,
  padId: 0,
  firstPosition: 0,
  poolings: [],
  isBatched: true,
  head: { head: "classify", holds: "rows", outputs: ["logits"] },
};
