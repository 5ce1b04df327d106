import { InferenceSession, Tensor } from "onnxruntime-node";
import { ortOptions } from "../../../shared/inference/ort/session.ts";
import { type BareOrder, runBare } from "./bare-loop.ts";

// A process with the options of Weir's workers.
const session = await InferenceSession.create(process.argv[2] ?? "", ortOptions({ threads: 1, provider: "cpu" }));
// The benchmark sends orders and nothing else.
process.on("message", (order) => void runBare({ session, Tensor }, order as BareOrder).then((result) => process.send?.(result)));
process.on("disconnect", () => process.exit(0));
process.send?.({ port: 0 });
