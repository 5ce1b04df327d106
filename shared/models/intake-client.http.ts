import { request } from "undici";
import { Failure } from "../base/failure.ts";
import { INTAKE_RETRY_AFTER_MS, type IntakeClient, intakeUnreachable } from "./intake-client.ts";

const TIMEOUT_MS = 5_000;

export function createHttpIntakeClient(url: string): IntakeClient {
  const invocations = new URL("/invocations", url);
  return {
    async start(job) {
      const status = await post(invocations, JSON.stringify(job));
      if (status === 429) throw new Failure("overloaded", "Too many versions wait to be checked.", { retryAfterMs: INTAKE_RETRY_AFTER_MS });
      if (status !== 202) throw intakeUnreachable(new Error(`intake answered ${status}`));
    },
  };
}

async function post(url: URL, body: string): Promise<number> {
  const headers = { "content-type": "application/json" };
  try {
    const answer = await request(url, { method: "POST", headers, body, signal: AbortSignal.timeout(TIMEOUT_MS) });
    await answer.body.dump();
    return answer.statusCode;
  } catch (cause) {
    throw intakeUnreachable(cause);
  }
}
