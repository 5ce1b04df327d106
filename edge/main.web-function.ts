import { credentialsOf } from "../shared/aws/credentials.ts";
import { createSecretReader } from "../shared/secrets/secret-reader.secrets-manager.ts";
import { compose } from "./compose.ts";
import { readConfig } from "./config.ts";
import { startServer } from "./server.ts";
import { readWebFunctionConfig } from "./web-function/config.ts";
import { withSecrets } from "./web-function/secrets.ts";

/** The gateway as a Lambda Web Function: a plain server at the address that Lambda names, after it has fetched its secrets. */
const platform = readWebFunctionConfig();
const { AWS_REGION: region, WEIR_SECRETS_ENDPOINT: endpoint } = platform;
const secrets = createSecretReader({ region, credentials: credentialsOf(platform), endpoint });
const environment = await withSecrets(platform, secrets);
await secrets.close();
const server = await startServer(compose(readConfig(environment)), platform.AWS_LAMBDA_HTTP_ENDPOINT);

process.on("SIGTERM", async () => {
  await server.drain();
  process.exit(0);
});
