import { type IntakeClient, type IntakeJob, intakeUnreachable } from "./intake-client.ts";

const ATTEMPTS_MAX = 3;
const TIMEOUT_MS = 5_000;

/** Invokes the intake function asynchronously: Lambda queues the job and tries it again if the function fails. */
export function createLambdaIntakeClient(settings: { region: string; functionName: string }): IntakeClient {
  let opened: ReturnType<typeof open> | undefined;
  const invoke = async (job: IntakeJob) => {
    // Loaded with the first publication, as the S3 SDK is, so that the gateway listens early.
    opened ??= open(settings.region);
    const { client, InvokeCommand } = await opened;
    const Payload = Buffer.from(JSON.stringify(job));
    await client.send(new InvokeCommand({ FunctionName: settings.functionName, InvocationType: "Event", Payload }));
  };
  return {
    start: (job) =>
      invoke(job).catch((cause: unknown) => {
        throw intakeUnreachable(cause);
      }),
  };
}

async function open(region: string) {
  const { InvokeCommand, LambdaClient } = await import("@aws-sdk/client-lambda");
  const requestHandler = { connectionTimeout: TIMEOUT_MS, requestTimeout: TIMEOUT_MS, throwOnRequestTimeout: true };
  return { InvokeCommand, client: new LambdaClient({ region, maxAttempts: ATTEMPTS_MAX, requestHandler }) };
}
