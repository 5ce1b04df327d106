import { runLambdaLoop } from "../../shared/inference/lambda-loop.ts";
import { IntakeJob } from "../../shared/models/intake-client.ts";
import { compose } from "./compose.ts";
import { readConfig } from "./config.ts";

/** Left of the function's time to take a check back in order, so that Lambda's next try finds the version as it was. */
const RESERVE_MS = 5_000;

/** Intake on Lambda: one event is one job, and a check that fails by our fault fails the event, which Lambda then tries again. */
const { AWS_LAMBDA_RUNTIME_API: runtimeApi, ...config } = readConfig();
if (runtimeApi === undefined) throw new Error("AWS_LAMBDA_RUNTIME_API is not set: outside of Lambda, main.node.ts is the way in.");
const { check } = compose(config);

await runLambdaLoop({
  runtimeApi,
  // Lambda ends the process itself.
  signal: new AbortController().signal,
  handle: async ({ payload, deadlineAtMs }) => {
    const job = IntakeJob.parse(JSON.parse(Buffer.from(payload).toString("utf8")));
    const state = await check(job, AbortSignal.timeout(Math.max(0, deadlineAtMs - Date.now() - RESERVE_MS)));
    return Buffer.from(JSON.stringify({ ...job, state }));
  },
});
