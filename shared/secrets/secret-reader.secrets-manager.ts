import { SignatureV4 } from "@smithy/signature-v4";
import { Pool } from "undici";
import * as z from "zod";
import { NodeSha256 } from "../dynamo/lean-client.ts";
import type { SecretReader } from "./secret-reader.ts";

export type SecretsManagerSettings = {
  readonly region: string;
  readonly credentials: ConstructorParameters<typeof SignatureV4>[0]["credentials"];
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
  const url = new URL(endpoint ?? `https://secretsmanager.${region}.amazonaws.com`);
  const pool = new Pool(url.origin);
  const signer = new SignatureV4({ service: "secretsmanager", region, credentials, sha256: NodeSha256 });
  const get = async (arn: string) => {
    const body = JSON.stringify({ SecretId: arn });
    const headers = { host: url.host, "content-type": "application/x-amz-json-1.1", "x-amz-target": "secretsmanager.GetSecretValue" };
    const signed = await signer.sign({ method: "POST", protocol: url.protocol, hostname: url.hostname, path: "/", headers, body });
    const answer = await pool.request({
      method: "POST",
      path: "/",
      headers: signed.headers,
      body,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const text = await answer.body.text();
    // The body of a refusal names the rule that refused; that of an answer is the secret and stays out of messages.
    if (answer.statusCode !== 200) throw new Error(`Secrets Manager answered ${answer.statusCode}: ${text.slice(0, 500)}`);
    return Answer.parse(JSON.parse(text)).SecretString;
  };
  return { read: (arn) => retried(() => get(arn)), close: () => pool.close() };
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
