import * as z from "zod";
import { EngineCredential } from "../../shared/models/engine-rules.ts";
import type { SecretReader } from "../../shared/secrets/secret-reader.ts";
import type { WebFunctionConfig } from "./config.ts";

const Upstream = z.record(z.string().regex(/^WEIR_UPSTREAM_[A-Z0-9_]{1,60}$/), EngineCredential);

/** Adds to the environment what stands in Secrets Manager; a secret without an ARN is left as the environment has it. */
export async function withSecrets(config: WebFunctionConfig, secrets: SecretReader): Promise<NodeJS.ProcessEnv> {
  const read = (arn: string | undefined) => (arn === undefined ? undefined : secrets.read(arn));
  const [peppers, receipts, originA, originB, upstream] = await Promise.all([
    read(config.WEIR_SECRET_PEPPERS),
    read(config.WEIR_SECRET_RECEIPTS),
    read(config.WEIR_SECRET_ORIGIN_A),
    read(config.WEIR_SECRET_ORIGIN_B),
    read(config.WEIR_SECRET_UPSTREAM),
  ]);
  const origins = [originA, originB].filter((origin) => origin !== undefined);
  return {
    ...config.environment,
    ...(peppers === undefined ? {} : { WEIR_PEPPERS: peppers }),
    ...(receipts === undefined ? {} : { WEIR_RECEIPT_KEYS: receipts }),
    ...(origins.length === 0 ? {} : { WEIR_ORIGIN_SECRETS: JSON.stringify(origins) }),
    ...(upstream === undefined ? {} : credentialsOf(upstream)),
  };
}

/** As the gateway's configuration reads them: one variable each. */
function credentialsOf(secret: string): Record<string, string> {
  const parsed = Upstream.safeParse(jsonOf(secret));
  if (!parsed.success) throw new Error(`The secret with the engines' keys is wrong:\n${z.prettifyError(parsed.error)}`);
  return Object.fromEntries(Object.entries(parsed.data).map(([name, credential]) => [name, JSON.stringify(credential)]));
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the parser's words would quote it
  }
}
