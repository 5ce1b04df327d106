import * as z from "zod";
import { createSignedJson, type SignedJsonSettings } from "../aws/signed-json.ts";
import type { SecretReader } from "./secret-reader.ts";

export type SecretsManagerSettings = {
  readonly region: string;
  readonly credentials: SignedJsonSettings["credentials"];
  /** Absent, the Region's own endpoint. */
  readonly endpoint: string | undefined;
};

const ATTEMPTS_MAX = 3;
const TIMEOUT_MS = 2_000;

const Answer = z.object({ SecretString: z.string() });

/**
 * Reads from AWS Secrets Manager: one signed call, made a few times at the start of a process.
 * The SDK's client for it would be loaded by every cold start for nothing else.
 */
export function createSecretReader({ region, credentials, endpoint }: SecretsManagerSettings): SecretReader {
  const signed = createSignedJson({
    service: "secretsmanager",
    region,
    targetPrefix: "secretsmanager",
    contentType: "application/x-amz-json-1.1",
    credentials,
    endpoint,
  });
  const get = async (arn: string) => {
    const { status, text } = await signed.call("GetSecretValue", { SecretId: arn }, { nowMs: Date.now(), timeoutMs: TIMEOUT_MS });
    // The body of a refusal names the rule that refused; that of an answer is the secret and stays out of messages.
    if (status !== 200) throw new Error(`Secrets Manager answered ${status}: ${text.slice(0, 500)}`);
    return Answer.parse(JSON.parse(text)).SecretString;
  };
  return { read: (arn) => retried(() => get(arn)), close: () => signed.close() };
}

async function retried<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (cause) {
      if (attempt === ATTEMPTS_MAX) throw new Error("a secret of this installation could not be read", { cause });
    }
  }
}
