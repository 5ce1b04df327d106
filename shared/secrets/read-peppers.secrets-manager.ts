import { type Peppers, peppersOf } from "../keys/key.ts";
import { parsePeppers } from "../schedule/environment.ts";
import { createSecretReader, type SecretsManagerSettings } from "./secret-reader.secrets-manager.ts";

/** As `PEPPERS` in shared/schedule/environment.ts: the text itself, or where it lies in Secrets Manager. */
export type PepperSource = {
  readonly AWS_REGION: string;
  readonly WEIR_PEPPERS?: string | undefined;
  readonly WEIR_SECRET_PEPPERS?: string | undefined;
};

export async function readPeppers(source: PepperSource, credentials: SecretsManagerSettings["credentials"]): Promise<Peppers> {
  return peppersOf(parsePeppers(source.WEIR_PEPPERS ?? (await readSecret(source, credentials))));
}

async function readSecret(
  { AWS_REGION: region, WEIR_SECRET_PEPPERS: arn = "" }: PepperSource,
  credentials: SecretsManagerSettings["credentials"],
) {
  const secrets = createSecretReader({ region, credentials, endpoint: undefined });
  try {
    return await secrets.read(arn);
  } finally {
    await secrets.close();
  }
}
