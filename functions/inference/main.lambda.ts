import { systemClock } from "../../shared/base/clock.ts";
import { runLambdaLoop } from "../../shared/inference/lambda-loop.ts";
import { logJson } from "../../shared/log/log.ts";
import { compose } from "./compose.ts";
import { readConfig } from "./config.ts";
import { answerInvocation } from "./lambda-handler.ts";

const config = readConfig();
const runtimeApi = config.AWS_LAMBDA_RUNTIME_API;
if (runtimeApi === undefined) throw new Error("AWS_LAMBDA_RUNTIME_API is not set: outside of Lambda, main.node.ts is the way in.");

const engine = await compose(config);
await engine.untilReady;
const parts = { engine, log: logJson, clock: systemClock };
const loop = {
  runtimeApi,
  // Lambda ends the process itself.
  signal: new AbortController().signal,
  handle: answerInvocation.bind(undefined, parts),
};
// On managed instances an environment takes several invocations at once, each asked for by a loop of its own.
await Promise.all(Array.from({ length: config.AWS_LAMBDA_MAX_CONCURRENCY }, () => runLambdaLoop(loop)));
